"""The images of monitoring: rules fire when they should, pages ask for the password, and what is wrong is said."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import bcrypt
import pytest
import yaml

from components.services.monitoring import names
from components.services.monitoring.alerts import RULES_PATH, AlertLimits, render_rules
from components.services.monitoring.console import CONSOLE_PATH, PAGE_PATH, render_console
from components.services.monitoring.prometheus import (
    ALERTMANAGER_PATH,
    CONFIGURATION_PATH,
    Scraping,
    render_alertmanager,
    render_prometheus,
    render_web_config,
)
from images import build, engine
from images.progress import Progress
from images.recipe import MONITORING, recipes
from tests.unit.images.containers import Started, Yard
from tests.unit.monitoring.rule_cases import CASES
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e

PASSWORD = "of-monitoring"
SOCKET = Path("/var/run/docker.sock")
LOGIN = {
    "WEB_CONFIG": names.WEB_CONFIG_FILE,
    "LOGIN_USER": names.USER,
    "LOGIN_PASSWORD_FILE": names.PASSWORD_FILE,
}
CONFIGURATION = render_prometheus(Scraping(interval="5s", docker_host="tcp://127.0.0.1:1"))


@pytest.fixture(scope="module")
def images() -> Mapping[str, str]:
    """References of the images, which are built first where they are missing."""
    build.Builder(client=engine.connect(), progress=Progress()).build(MONITORING)
    return {name: recipe.reference for name, recipe in recipes().items()}


def secrets() -> dict[str, tuple[str, int]]:
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    return {
        names.WEB_CONFIG_FILE: (render_web_config(hashed), 0o444),
        names.PASSWORD_FILE: (PASSWORD, 0o444),
    }


def get(started: Started, port: int, path: str, password: str | None = PASSWORD) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{started.port(port)}{path}")
    if password is not None:
        word = base64.b64encode(f"{names.USER}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def prometheus(yard: Yard, images: Mapping[str, str]) -> Started:
    files = {
        CONFIGURATION_PATH: (CONFIGURATION, 0o444),
        RULES_PATH: (render_rules(AlertLimits()), 0o444),
        CONSOLE_PATH: (render_console(), 0o444),
    }
    started = yard.start(images["prometheus"], files={**files, **secrets()}, environment=LOGIN, ports=(9090,))
    wait_for("Prometheus answers a query", lambda: started.run("prometheus-health")[0] == 0)
    return started


def test_every_alert_fires_when_it_should_and_only_then(yard: Yard, images: Mapping[str, str]) -> None:
    cases = {
        "rule_files": [RULES_PATH],
        "evaluation_interval": "15s",
        "tests": [case.document() for case in CASES],
    }
    files = {
        RULES_PATH: (render_rules(AlertLimits()), 0o444),
        "/etc/prometheus/cases.yml": (yaml.safe_dump(cases, width=1000), 0o444),
    }
    checked = yard.start(
        images["prometheus"], files=files, command=["promtool", "test", "rules", "/etc/prometheus/cases.yml"]
    )
    status = yard.client.wait(checked.identity)["StatusCode"]
    assert status == 0, checked.logs()
    checked.says("SUCCESS")


def test_a_rule_that_is_too_quiet_is_noticed(yard: Yard, images: Mapping[str, str]) -> None:
    """The cases are worth something: with another limit they fail."""
    files = {
        RULES_PATH: (render_rules(AlertLimits(disk_free_percent=4)), 0o444),
        "/etc/prometheus/cases.yml": (
            yaml.safe_dump({"rule_files": [RULES_PATH], "tests": [case.document() for case in CASES]}, width=1000),
            0o444,
        ),
    }
    checked = yard.start(
        images["prometheus"], files=files, command=["promtool", "test", "rules", "/etc/prometheus/cases.yml"]
    )
    assert yard.client.wait(checked.identity)["StatusCode"] == 1
    checked.says("a file system has 5 % left")


def test_prometheus_shows_its_pages_to_who_knows_the_password(yard: Yard, images: Mapping[str, str]) -> None:
    started = prometheus(yard, images)
    assert get(started, 9090, PAGE_PATH, password=None)[0] == 401
    assert get(started, 9090, PAGE_PATH, password="another")[0] == 401
    status, page = get(started, 9090, PAGE_PATH)
    assert status == 200
    assert "Nothing is wrong." in page
    assert "error" not in page.lower()


def test_what_the_page_loads_is_in_the_image(yard: Yard, images: Mapping[str, str]) -> None:
    started = prometheus(yard, images)
    loaded = {
        line.split('"')[1].replace("{{ pathPrefix }}", "")
        for line in render_console().splitlines()
        if line.startswith("<script src=")
    }
    assert len(loaded) == 4
    for path in (*loaded, "/classic/graph", "/classic/static/moment-timezone/moment-timezone-with-data.min.js"):
        assert get(started, 9090, path)[0] == 200, path


def test_prometheus_has_its_rules_and_measures_itself(yard: Yard, images: Mapping[str, str]) -> None:
    started = prometheus(yard, images)
    groups = wait_for("its rules", lambda: json.loads(get(started, 9090, "/api/v1/rules")[1])["data"]["groups"])
    assert len(groups[0]["rules"]) == len({case.alert for case in CASES})

    def measured() -> bool:
        found = json.loads(get(started, 9090, "/api/v1/query?query=up%7Bjob%3D%22prometheus%22%7D")[1])
        return [sample["value"][1] for sample in found["data"]["result"]] == ["1"]

    wait_for("Prometheus gives itself the password", measured)
    assert started.stop() == 0


def test_prometheus_that_users_find_below_a_path_is_healthy_too(yard: Yard, images: Mapping[str, str]) -> None:
    files = {CONFIGURATION_PATH: (CONFIGURATION, 0o444), RULES_PATH: (render_rules(AlertLimits()), 0o444), **secrets()}
    environment = {**LOGIN, "EXTERNAL_URL": "https://example.com/prometheus/"}
    started = yard.start(images["prometheus"], files=files, environment=environment)
    wait_for("Prometheus answers a query", lambda: started.run("prometheus-health")[0] == 0)


def test_prometheus_says_which_line_of_its_configuration_is_wrong(yard: Yard, images: Mapping[str, str]) -> None:
    files = {CONFIGURATION_PATH: (CONFIGURATION.replace("scrape_configs:", "scrap_configs:"), 0o444)}
    started = yard.start(images["prometheus"], files=files)
    assert yard.client.wait(started.identity)["StatusCode"] == 78
    started.says("scrap_configs")


def test_prometheus_without_a_configuration_says_where_it_belongs(yard: Yard, images: Mapping[str, str]) -> None:
    started = yard.start(images["prometheus"])
    assert yard.client.wait(started.identity)["StatusCode"] == 78
    started.says(f"{CONFIGURATION_PATH} is missing")


def test_alertmanager_takes_an_alert_from_who_knows_the_password(yard: Yard, images: Mapping[str, str]) -> None:
    files = {ALERTMANAGER_PATH: (render_alertmanager("http://127.0.0.1:1/hook", "4h"), 0o444), **secrets()}
    environment = {**LOGIN, "ALERTMANAGER_CONFIG": ALERTMANAGER_PATH}
    started = yard.start(images["alertmanager"], files=files, environment=environment, ports=(9093,))
    wait_for("Alertmanager lists its receivers", lambda: started.run("alertmanager-health")[0] == 0)
    assert get(started, 9093, "/api/v2/alerts", password=None)[0] == 401
    told = "amtool", "--http.config.file=/tmp/http.yml", "--alertmanager.url=http://127.0.0.1:9093"
    login = f"basic_auth: {{username: {names.USER}, password_file: {names.PASSWORD_FILE}}}"
    assert started.run("sh", "-c", f"echo '{login}' > /tmp/http.yml") == (0, "")
    code, output = started.run(*told, "alert", "add", "Drill", "node=worker-1")
    assert code == 0, output
    wait_for("the alert is there", lambda: "Drill" in get(started, 9093, "/api/v2/alerts")[1])
    assert started.stop() == 0


def test_alertmanager_says_what_is_wrong_with_its_configuration(yard: Yard, images: Mapping[str, str]) -> None:
    files = {"/etc/alertmanager/alertmanager.yml": ("route: {receiver: nobody}\n", 0o444)}
    started = yard.start(images["alertmanager"], files=files)
    assert yard.client.wait(started.identity)["StatusCode"] == 78
    started.says("nobody")


def test_the_node_exporter_tells_of_the_machine_and_of_nothing_of_its_container(
    yard: Yard, images: Mapping[str, str]
) -> None:
    binds = ["/proc:/host/proc:ro", "/sys:/host/sys:ro", "/:/host/root:ro"]
    started = yard.start(images["node-exporter"], host={"Binds": binds, "CapDrop": ["ALL"], "ReadonlyRootfs": True})

    def told() -> str:
        code, text = started.run("curl", "-fsS", "http://127.0.0.1:9100/metrics")
        assert code == 0, text
        assert "node_memory_MemTotal_bytes" in text
        assert "node_filesystem_avail_bytes{" in text
        return text

    metrics = wait_for("it tells of memory and file systems", told)
    assert "node_network_" not in metrics
    assert "node_uname_info" not in metrics
    started.stop()


def test_the_node_exporter_without_the_machines_folders_refuses_to_tell_of_a_container(
    yard: Yard, images: Mapping[str, str]
) -> None:
    started = yard.start(images["node-exporter"])
    assert yard.client.wait(started.identity)["StatusCode"] == 78
    started.says("/host/proc is missing")


def test_the_exporter_is_unhealthy_while_no_manager_answers_and_ends_gracefully(
    yard: Yard, images: Mapping[str, str]
) -> None:
    started = yard.start(images["exporter"], environment={"DOCKER_HOST": "tcp://127.0.0.1:1"}, ports=(9101,))
    wait_for("it listens", lambda: started.run("curl", "-sS", "http://127.0.0.1:9101/")[0] == 0)
    status, said = get(started, 9101, "/healthz")
    assert status == 503
    assert "tcp://127.0.0.1:1 does not answer /nodes" in said
    assert started.run("id", "-un")[1].strip() == "nobody"
    assert started.stop() == 0


def test_the_exporter_of_a_node_answers_with_every_container_of_its_engine(
    yard: Yard, images: Mapping[str, str]
) -> None:
    environment = {
        "DOCKER_HOST": "unix:///run/engine.sock",
        "ENGINE_METRICS": "127.0.0.1:1",
        "SWARM_FOLDER": "/nowhere",
        "NETWORK_FILE": "/proc/1/net/dev",
    }
    started = yard.start(
        images["exporter"],
        alias="measured",
        environment=environment,
        command=["exporter-start", "node"],
        ports=(9101,),
        host={"Binds": [f"{SOCKET}:/run/engine.sock:ro"], "GroupAdd": [str(SOCKET.stat().st_gid)]},
    )

    def told() -> str:
        """A look at all containers takes longer than the first answer."""
        status, text = get(started, 9101, "/metrics")
        assert status == 200
        assert f'name="{yard.prefix}-measured"' in text
        return text

    assert "flotilla_swarm_" not in wait_for("it tells of its own container", told)
    assert get(started, 9101, "/engine")[0] == 503
