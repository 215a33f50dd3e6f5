"""The management page on real Docker as a user has it: up, the password, what it shows against what Docker says, in a
browser too, what its proxy refuses, down."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.browser.look import look
from tests.e2e.platform import Platform, leftovers, page, settings_of, standing
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.deep, pytest.mark.timeout(900)]

ADDRESS = "127.0.0.1:19000"
PAGE = f"http://{ADDRESS}/"
PROXY = "http://ui-socket-proxy:2375"


def settings() -> dict[str, Any]:
    """The stack file of the project, on ports and addresses of its own."""
    found = settings_of("Pulumi.ui.yaml")
    found["network"] = {"machines": "10.78.0.0/24"}
    found["ssh"] = {"first_port": 27800}
    found["load_balancer"] = {"statistics_port": 18410}
    found["services"]["ui"] |= {"port": 19000}
    found["services"]["web"] |= {"port": 19001}
    return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("ui"), settings()) as made:
        yield made


def password(platform: Platform) -> str:
    return platform.outputs("--show-secrets")["ui_password"]


def visitor() -> urllib.request.OpenerDirector:
    """Someone with a browser that keeps cookies."""
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))


def logged_in(platform: Platform) -> urllib.request.OpenerDirector:
    made = visitor()
    words = urllib.parse.urlencode({"user": "admin", "password": password(platform)})
    with made.open(f"{PAGE}login", words.encode(), timeout=60) as answer:
        assert answer.url == PAGE
    return made


def read(who: urllib.request.OpenerDirector, path: str = "") -> str:
    with who.open(f"{PAGE}{path}", timeout=60) as answer:
        return answer.read().decode()


def rows(page: str, table: str) -> list[list[str]]:
    """The cells of one of the page's tables, without markup."""
    found = re.search(rf'<table id="{table}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert found, page
    cells = (re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", found[1]))
    return [[re.sub(r"<[^>]*>", "", cell) for cell in row] for row in cells]


def inside(platform: Platform, service: str, command: str) -> str:
    """Output of a command in the service's running container, wherever it is."""
    places = platform.on(
        "manager-1", f"docker service ps {service} --filter desired-state=running --format '{{{{.Node}}}}'"
    ).split()
    filters = f"--filter label=com.docker.swarm.service.name={service} --filter status=running"
    return platform.on(places[0], f"docker exec $(docker ps -q {filters} | head -1) {command}")


def statuses(platform: Platform, service: str, *requests: str) -> list[str]:
    """What curl says of each request from inside a container; 000 when there was nobody to ask."""
    words = "; ".join(f"curl -s -m 5 -o /dev/null -w %{{http_code}} {request}; echo" for request in requests)
    return inside(platform, service, f"sh -c '{words}'").split()


def test_up_brings_the_page_and_its_proxy_and_no_image_of_another_product(platform: Platform) -> None:
    said = platform.make("up").stdout
    for service in ("ui", "ui-socket-proxy"):
        assert re.search(rf"{service}\s.*1/1", said), said[-3000:]
    assert PAGE in said
    catalog = json.loads(platform.on("worker-1", "curl -fsSk https://10.78.0.5:5000/v2/_catalog"))
    assert catalog == {"repositories": ["haproxy", "nginx", "ui"]}


def test_the_page_asks_for_the_password_and_shows_nothing_before(platform: Platform) -> None:
    form = wait_for("the page", lambda: page(PAGE))
    assert 'type="password"' in form
    assert "manager-1" not in form
    other = page(f"{PAGE}services/web")
    assert 'type="password"' in other
    assert "worker" not in other
    with pytest.raises(urllib.error.HTTPError, match="403"):
        visitor().open(f"{PAGE}login", b"user=admin&password=wrong", timeout=60)


def test_the_password_is_a_secret_of_the_stack_and_nowhere_in_the_service(platform: Platform) -> None:
    assert platform.outputs()["ui_password"] == "[secret]"
    secret = password(platform)
    assert len(secret) == 32
    assert secret not in platform.on("manager-1", "docker service inspect ui ui-socket-proxy")
    words = inside(platform, "ui", "sh -c 'env; cat /proc/1/cmdline'")
    assert "UI_PASSWORD_FILE=" in words
    assert secret not in words
    assert not any(secret in said for said in platform.said)


def test_the_page_says_what_docker_says(platform: Platform) -> None:
    """M52, and the nodes of it."""
    who = logged_in(platform)

    def the_same() -> str:
        """The page, when nothing changed between it and Docker's answers."""
        shown = read(who)
        listed = platform.on("manager-1", "docker service ls --format '{{.Name}} {{.Mode}} {{.Replicas}}'")
        assert sorted(" ".join(row[:3]) for row in rows(shown, "services")) == sorted(listed.splitlines())
        nodes = platform.on("manager-1", "docker node ls --format '{{.Hostname}} {{.Status}} {{.Availability}}'")
        found = [" ".join((row[0], row[2], row[3])) for row in rows(shown, "nodes")]
        assert sorted(found) == sorted(nodes.lower().splitlines())
        return shown

    shown = wait_for("the page says what Docker says", the_same, 60)
    manager = rows(shown, "nodes")[0]
    assert manager[:2] + manager[4:6] == ["manager-1", "manager", "leader", "10.78.0.11"]
    assert {"web", "ui", "ui-socket-proxy", "ingress"} <= {row[0] for row in rows(shown, "networks")}

    def running() -> list[str]:
        return [row[2] for row in rows(read(who, "services/web"), "tasks") if row[3] == "running"]

    wait_for("both tasks of web", lambda: running() == ["running", "running"])


def test_a_person_sees_it_in_a_browser(platform: Platform) -> None:
    address = f"http://admin:{password(platform)}@{ADDRESS}/basic"
    seen = look(address, wait_for="ui-socket-proxy replicated 1/1", budget=2)
    for node in ("manager-1 manager ready active leader", "worker-1 worker ready active"):
        assert node in seen.text
    assert not seen.is_blank
    form = look(PAGE, wait_for="Log in", budget=2)
    assert "manager-1" not in form.dom


def test_a_task_that_fails_is_shown_with_its_error(platform: Platform) -> None:
    image = platform.on("manager-1", "docker service inspect web --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}'")
    words = f"--name broken --detach --restart-condition none --network web {image.strip()} sh -c 'exit 7'"
    platform.on("manager-1", f"docker service create --endpoint-mode dnsrr {words}")
    try:
        who = logged_in(platform)

        def told() -> list[str]:
            (row,) = [row for row in rows(read(who), "troubles") if row[0] == "broken.1"]
            assert "task: non-zero exit (7)" in " ".join(row)
            return row

        _, node, state, *_ = wait_for("the error", told)
        assert state == "failed"
        assert "task: non-zero exit (7)" in read(who, f"nodes/{node}")
    finally:
        platform.on("manager-1", "docker service rm broken")


def test_the_proxy_lets_the_page_read_and_nobody_do_anything_else(platform: Platform) -> None:
    refused = (
        f"-X POST {PROXY}/services/create",
        f"-X DELETE {PROXY}/services/web",
        f"-X POST {PROXY}/containers/create",
        *(f"{PROXY}/{path}" for path in ("swarm", "secrets", "configs", "containers/json", "images/json", "info")),
        *(f"--path-as-is {PROXY}/{path}" for path in ("/swarm", "nodes/../swarm", "%73warm", "v1.41/swarm")),
    )
    said = statuses(platform, "ui", f"{PROXY}/services", *refused)
    assert said[0] == "200"
    assert [request for request, code in zip(refused, said[1:], strict=True) if code != "403"] == []
    logs = "docker service logs ui-socket-proxy 2>&1"
    wait_for("the proxy's word on it", lambda: "GET /swarm HTTP/1.1" in platform.on("manager-1", logs))
    # Nobody beside the page is on its overlay, and the page has no socket itself.
    assert statuses(platform, "web", f"{PROXY}/services") == ["000"]
    assert "docker.sock" not in inside(platform, "ui", "cat /proc/mounts")


def test_a_second_up_and_a_refresh_change_nothing(platform: Platform) -> None:
    platform.make("refresh", "ARGS=--expect-no-changes")
    platform.make("up", "ARGS=--expect-no-changes")


def test_the_page_outlives_a_proxy_that_moves(platform: Platform) -> None:
    who = logged_in(platform)
    before = platform.on("manager-1", "docker service ps ui -q")
    platform.on("manager-1", "docker service update --force --detach ui-socket-proxy")
    wait_for(
        "the new proxy",
        lambda: (
            "completed"
            in platform.on("manager-1", "docker service inspect ui-socket-proxy --format '{{.UpdateStatus.State}}'")
        ),
    )
    wait_for("the page", lambda: "manager-1" in read(who))
    assert platform.on("manager-1", "docker service ps ui -q") == before


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
