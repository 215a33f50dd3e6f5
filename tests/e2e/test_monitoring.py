"""Monitoring on real Docker as a user has it: up, measured, looked at in a browser, alerts that fire on purpose and end
again, down."""

import base64
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.browser.look import Page, look
from tests.e2e.platform import Platform, leftovers, settings_of, standing
from tests.e2e.together import replicas
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.deep, pytest.mark.timeout(900)]

PAGES = "127.0.0.1:19090"
ALERTS = "127.0.0.1:19093"
GATEWAY = "10.77.0.1"
HOOK_PORT = 28900
NODES = ("manager-1", "manager-2", "manager-3", "worker-1", "worker-2")
MANAGERS = NODES[:3]
SERVICES = {
    "edge": "5/5",
    "monitoring-alertmanager": "1/1",
    "monitoring-engine-exporter": "5/5",
    "monitoring-node-exporter": "5/5",
    "monitoring-prometheus": "1/1",
    "monitoring-sockets": "3/3",
    "monitoring-swarm-exporter": "1/1",
    "shop_shop": "2/2",
    "web": "3/3",
}


def settings() -> dict[str, Any]:
    """The stack file of the project, on ports and addresses of its own, quick to tell, and with a thing to measure."""
    found = settings_of("Pulumi.monitoring.yaml")
    found["network"] = {"machines": "10.77.0.0/24"}
    found["ssh"] = {"first_port": 27700}
    found["load_balancer"] = {"statistics_port": 18409}
    found["services"]["web"] = {"port": 18087}
    hook = f"http://{GATEWAY}:{HOOK_PORT}/hook"
    found["services"]["monitoring"] |= {
        "port": 19090,
        "interval": "5s",
        # A change takes longer than a second where five machines share a small computer.
        "alerts": {"port": 19093, "after": "10s", "url": hook, "raft_seconds": 60},
    }
    found["compose"] = {"shop": {"file": "examples/compose/measured.yaml", "images": {"haproxy:2.6": "haproxy"}}}
    return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("monitoring"), settings()) as made:
        yield made


@pytest.fixture(scope="module")
def told() -> Iterator[list[dict[str, Any]]]:
    """What the receiver of alerts was told."""
    received: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.extend(body["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
            """Nothing."""

    server = ThreadingHTTPServer(("0.0.0.0", HOOK_PORT), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def password(platform: Platform) -> str:
    return platform.outputs("--show-secrets")["monitoring_password"]


def get(address: str, path: str, password: str | None, body: Any = None) -> tuple[int, str]:
    """Status and text, of a POST where there is a body; a refused connection is status 0."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}{path}", data, {"Content-Type": "application/json"})
    if password is not None:
        word = base64.b64encode(f"flotilla:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def query(password: str, expression: str) -> list[tuple[dict[str, str], float]]:
    """Labels and value of each series."""
    status, text = get(PAGES, f"/api/v1/query?query={urllib.parse.quote(expression)}", password)
    if status != 200:
        return []
    return [(one["metric"], float(one["value"][1])) for one in json.loads(text)["data"]["result"]]


def value(password: str, expression: str) -> float:
    ((_, found),) = query(password, expression)
    return found


def firing(password: str) -> list[dict[str, str]] | None:
    """Labels of the alerts that Alertmanager has; None when it does not answer."""
    status, text = get(ALERTS, "/api/v2/alerts?active=true", password)
    return [alert["labels"] for alert in json.loads(text)] if status == 200 else None


def fires(password: str, alert: str, **labels: str) -> bool:
    wanted = {"alertname": alert, **labels}
    return any(wanted.items() <= one.items() for one in firing(password) or [])


def ended(password: str, alert: str, **labels: str) -> bool:
    """Whether Alertmanager answers, and has no such alert."""
    return firing(password) is not None and not fires(password, alert, **labels)


def was_told(told: list[dict[str, Any]], status: str, alert: str, **labels: str) -> bool:
    wanted = {"alertname": alert, **labels}
    return any(one["status"] == status and wanted.items() <= one["labels"].items() for one in told)


@pytest.mark.usefixtures("told")
def test_up_brings_every_service_and_a_page_that_asks_for_a_password(platform: Platform) -> None:
    output = platform.make("up").stdout
    assert "monitoring_password" in output
    # The engine waits for replicas; the tasks of a global service may need a moment more.
    wait_for(lambda: f"every task: {replicas(platform)}", lambda: replicas(platform) == SERVICES)
    for address, path in (
        (PAGES, "/"),
        (PAGES, "/consoles/swarm.html"),
        (PAGES, "/metrics"),
        (ALERTS, "/api/v2/alerts"),
    ):
        wait_for(f"an answer of {address}{path}", lambda asked=(address, path): get(*asked, None)[0] != 0)
        assert get(address, path, None)[0] == 401
        assert get(address, path, "another")[0] == 401


def test_every_target_of_every_node_is_up_and_so_is_the_service_that_asked_for_it(password: str) -> None:
    wanted = {
        *((job, node) for job in ("node", "machine", "engine") for node in NODES),
        *((job, "") for job in ("prometheus", "alertmanager", "swarm")),
    }

    def measured() -> set[tuple[str, str]]:
        found = query(password, "up")
        assert [labels for labels, up in found if up != 1] == []
        return {(labels["job"], labels.get("node", "")) for labels, _ in found}

    def of_the_shop() -> list[str]:
        found = query(password, 'up{job="shop"} == 1')
        return sorted(labels["instance"] for labels, _ in found)

    wait_for("the shop", lambda: of_the_shop() == ["shop_shop.1", "shop_shop.2"])
    wait_for("all targets, and none that is down", lambda: wanted <= measured())
    assert len(query(password, 'haproxy_process_uptime_seconds{job="shop"}')) == 2


def test_the_node_exporter_reports_the_machine_and_not_its_container(platform: Platform, password: str) -> None:
    """The chapter's has no mounts, and reports itself (E14)."""
    total = int(platform.on("worker-1", "awk '/^MemTotal/ {print $2}' /proc/meminfo")) * 1024
    size = int(platform.on("worker-1", "df -B1 --output=size /run/lock | tail -1"))

    def devices() -> set[str]:
        found = query(password, 'node_network_receive_bytes_total{node="worker-1"}')
        return {labels["device"] for labels, _ in found}

    wait_for("its memory", lambda: value(password, 'node_memory_MemTotal_bytes{node="worker-1"}') == total)
    file_system = 'node_filesystem_size_bytes{node="worker-1",mountpoint="/run/lock"}'
    wait_for("its file systems", lambda: value(password, file_system) == size)
    wait_for("its devices", lambda: {"eth0", "docker0", "docker_gwbridge"} <= devices())


def test_containers_are_measured_by_service_with_their_limits(password: str) -> None:
    service = "container_label_com_docker_swarm_service_name"

    def sum_of(metric: str, of: str) -> float:
        return value(password, f'sum({metric}{{{service}="{of}"}})')

    wait_for("limits", lambda: sum_of("container_spec_memory_limit_bytes", "web") == 3 * 64 * 2**20)
    wait_for("memory", lambda: sum_of("container_memory_working_set_bytes", "web") > 2**20)
    wait_for("time", lambda: sum_of("container_cpu_usage_seconds_total", "monitoring-prometheus") > 0)
    wait_for("bytes", lambda: sum_of("container_network_receive_bytes_total", "monitoring-prometheus") > 0)
    wait_for("all of edge", lambda: len(query(password, f'container_last_seen{{{service}="edge"}}')) == len(NODES))


def test_managers_tell_the_swarms_state_and_every_node_its_certificate(password: str) -> None:
    def nodes_of(expression: str) -> set[str]:
        return {labels["node"] for labels, _ in query(password, expression)}

    wait_for("all nodes ready", lambda: len(query(password, "flotilla_swarm_node_ready == 1")) == len(NODES))
    wait_for("managers", lambda: value(password, "sum(flotilla_swarm_manager_reachable)") == len(MANAGERS))
    wait_for("a leader", lambda: value(password, "sum(flotilla_swarm_manager_leader)") == 1)
    wait_for("Raft logs", lambda: nodes_of("sum by (node) (flotilla_swarm_raft_bytes)") == set(MANAGERS))
    wait_for("the engines' leader", lambda: value(password, "sum(swarm_manager_leader)") == 1)
    wait_for("their processors", lambda: value(password, "max(engine_daemon_engine_cpus_cpus)") >= 1)
    left = "flotilla_swarm_certificate_not_after_seconds - time()"
    wait_for("certificates", lambda: nodes_of(left) == set(NODES))
    assert all(80 * 86400 < seconds < 90 * 86400 for _, seconds in query(password, left))


def test_the_page_shows_nodes_and_services_to_a_person(password: str) -> None:
    def calm() -> Page:
        page = look(f"http://flotilla:{password}@{PAGES}/consoles/swarm.html", wait_for="worker-2", size=(1400, 1800))
        assert [name for name in (*NODES, *SERVICES, "Nothing is wrong.") if name not in page.text] == [], page.text
        return page

    page = wait_for("all of them, and nothing wrong", calm)
    assert not page.is_blank
    # Its scripts drew what they asked for.
    assert page.dom.count("<path") >= 6


def test_a_second_up_and_a_refresh_change_nothing(platform: Platform) -> None:
    platform.make("refresh", "ARGS=--expect-no-changes")
    platform.make("up", "ARGS=--expect-no-changes")


def test_a_disk_that_fills_is_told_of_and_again_when_there_is_room(
    platform: Platform, password: str, told: list[dict[str, Any]]
) -> None:
    labels = {"node": "worker-2", "mountpoint": "/run/lock"}
    platform.on("worker-2", "head -c 5000k /dev/zero > /run/lock/filling")
    wait_for("the alert", lambda: fires(password, "DiskFilling", **labels))
    wait_for("the call", lambda: was_told(told, "firing", "DiskFilling", **labels))
    platform.on("worker-2", "rm /run/lock/filling")
    wait_for("its end", lambda: ended(password, "DiskFilling", **labels))
    wait_for("the call at its end", lambda: was_told(told, "resolved", "DiskFilling", **labels))


def test_a_service_that_finds_no_node_is_told_of_and_again_when_it_runs(platform: Platform, password: str) -> None:
    image = platform.on("manager-1", "docker service inspect web --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}'")
    create = "docker service create --detach --name drill --replicas 2 --endpoint-mode dnsrr"
    platform.on("manager-1", f"{create} --constraint node.labels.moon==full {image.strip()}")
    try:
        wait_for("the alert", lambda: fires(password, "ServiceBelowReplicas", service="drill"))
        platform.on("manager-1", "docker service update --detach --constraint-rm node.labels.moon==full drill")
        wait_for("its end", lambda: ended(password, "ServiceBelowReplicas", service="drill"))
        running = 'flotilla_swarm_service_tasks_running{service="drill"}'
        wait_for("both tasks", lambda: value(password, running) == 2)
    finally:
        platform.on("manager-1", "docker service rm drill")


def test_a_manager_that_is_lost_is_told_of_shown_on_the_page_and_again_when_it_is_back(
    platform: Platform, password: str
) -> None:
    platform.on("manager-3", "systemctl stop docker.socket docker")
    try:
        wait_for("the quorum's alert", lambda: fires(password, "QuorumAtRisk", severity="critical"))
        wait_for("the node's alert", lambda: fires(password, "NodeDown", node="manager-3"))
        wait_for("two managers", lambda: value(password, "sum(flotilla_swarm_manager_reachable)") == 2)
        url = f"http://flotilla:{password}@{PAGES}/consoles/swarm.html"
        page = look(url, wait_for="NodeDown critical manager-3", size=(1400, 1800))
        assert "QuorumAtRisk critical" in page.text
        assert "Nothing is wrong." not in page.text
    finally:
        platform.on("manager-3", "systemctl start docker")
    wait_for("their end", lambda: ended(password, "QuorumAtRisk"))
    wait_for("its end", lambda: ended(password, "NodeDown"))
    wait_for("that nothing is wrong", lambda: firing(password) == [], 180)


def tasks(platform: Platform) -> set[str]:
    """The tasks of Prometheus and Alertmanager that run."""
    command = "docker service ps --no-trunc --format '{{.CurrentState}} {{.ID}}'"
    listed = platform.on("manager-1", f"{command} monitoring-prometheus monitoring-alertmanager")
    return {line.split()[-1] for line in listed.splitlines() if line.startswith("Running")}


def silences(password: str) -> list[str]:
    status, text = get(ALERTS, "/api/v2/silences", password)
    return [one["comment"] for one in json.loads(text)] if status == 200 else []


def test_samples_and_silences_outlive_their_tasks(platform: Platform, password: str) -> None:
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "alertname", "value": "NodeDown", "isRegex": False}],
        "createdBy": "me",
        "comment": "a new disk",
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
    }
    assert get(ALERTS, "/api/v2/silences", password, silence)[0] == 200
    wait_for("the silence", lambda: silences(password) == ["a new disk"])
    first = "min_over_time(timestamp(flotilla_swarm_manager_leader == 1)[1h:5s])"
    before = wait_for("the first sample", lambda: value(password, first))
    old = tasks(platform)
    for service in ("monitoring-prometheus", "monitoring-alertmanager"):
        platform.on("manager-1", f"docker service update --force --detach {service}")

    def others() -> bool:
        now_running = tasks(platform)
        return len(now_running) == 2 and not now_running & old

    wait_for("other tasks", others)
    wait_for("the silence", lambda: silences(password) == ["a new disk"])
    assert wait_for("the first sample again", lambda: value(password, first)) == before


def test_the_password_and_the_receivers_url_are_in_no_service_and_nothing_printed(
    platform: Platform, password: str
) -> None:
    names = " ".join(SERVICES)
    services = platform.on("manager-1", f"docker service inspect {names}")
    assert password not in services
    assert "/hook" not in services
    assert not [text for text in platform.said if password in text]


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
