"""The exporter's figures from what engines answer: cAdvisor's names, both versions of cgroups, and a swarm with a node
that nobody hears of."""

import json
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from images.exporter.exporter.__main__ import handler, pages
from images.exporter.exporter.containers import Containers, add_container
from images.exporter.exporter.engine import Engine, EngineError
from images.exporter.exporter.node import add_certificate, add_network, add_raft
from images.exporter.exporter.swarm import add_nodes, add_services, add_swarm
from images.exporter.exporter.text import Families

CONTAINER: dict[str, Any] = {
    "Id": "abc",
    "Name": "/web.1.xyz",
    "State": {"StartedAt": "2026-11-28T15:45:27.158070392Z"},
    "Config": {
        "Image": "registry/nginx@sha256:1",
        "Labels": {"com.docker.swarm.service.name": "web", "com.docker.swarm.task.name": "web.1.xyz", "own": "no"},
    },
    "HostConfig": {"Memory": 64 * 2**20, "NanoCpus": 250_000_000},
}
MEMORY_V1 = {
    "usage": 1000,
    "failcnt": 3,
    "stats": {"total_inactive_file": 100, "inactive_file": 7, "total_rss": 800, "total_cache": 200},
}
MEMORY_V2 = {"usage": 1000, "stats": {"inactive_file": 100, "anon": 800, "file": 200}}
STATS: dict[str, Any] = {
    "cpu_stats": {
        "cpu_usage": {"total_usage": 2_500_000_000, "usage_in_kernelmode": 10**9, "usage_in_usermode": 15 * 10**8},
        "throttling_data": {"periods": 9, "throttled_periods": 2, "throttled_time": 5 * 10**8},
    },
    "memory_stats": MEMORY_V1,
    "networks": {"eth0": {"rx_bytes": 10, "tx_bytes": 20, "rx_dropped": 1}},
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"op": "Read", "value": 5},
            {"op": "Read", "value": 6},
            {"op": "Write", "value": 7},
            {"op": "Total", "value": 18},
        ]
    },
}


def told(families: Families) -> dict[str, float]:
    """Values by name and labels, as they stand in the text."""
    lines = [line for line in families.render().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def by_name(families: Families) -> dict[str, float]:
    return {name.partition("{")[0]: value for name, value in told(families).items()}


def measured(stats: Mapping[str, Any], container: Mapping[str, Any] = CONTAINER) -> Families:
    families = Families()
    add_container(families, container, stats, 1000.0)
    return families


def test_a_container_is_told_of_under_the_names_that_cadvisor_gives() -> None:
    assert by_name(measured(STATS)) == {
        "container_last_seen": 1000,
        "container_start_time_seconds": 1795880727,
        "container_spec_memory_limit_bytes": 67108864,
        "container_spec_cpu_period": 100000,
        "container_spec_cpu_quota": 25000,
        "container_cpu_usage_seconds_total": 2.5,
        "container_cpu_system_seconds_total": 1,
        "container_cpu_user_seconds_total": 1.5,
        "container_cpu_cfs_throttled_seconds_total": 0.5,
        "container_cpu_cfs_periods_total": 9,
        "container_cpu_cfs_throttled_periods_total": 2,
        "container_memory_usage_bytes": 1000,
        "container_memory_working_set_bytes": 900,
        "container_memory_rss": 800,
        "container_memory_cache": 200,
        "container_memory_failcnt": 3,
        "container_network_receive_bytes_total": 10,
        "container_network_receive_packets_total": 0,
        "container_network_receive_errors_total": 0,
        "container_network_receive_packets_dropped_total": 1,
        "container_network_transmit_bytes_total": 20,
        "container_network_transmit_packets_total": 0,
        "container_network_transmit_errors_total": 0,
        "container_network_transmit_packets_dropped_total": 0,
        "container_fs_reads_bytes_total": 11,
        "container_fs_writes_bytes_total": 7,
    }


def test_a_container_has_the_labels_of_its_task_and_no_others() -> None:
    (line,) = (name for name in told(measured(STATS)) if name.startswith("container_memory_rss"))
    assert line == (
        'container_memory_rss{id="/docker/abc",image="registry/nginx@sha256:1",name="web.1.xyz",'
        'container_label_com_docker_swarm_service_name="web",container_label_com_docker_swarm_task_name="web.1.xyz"}'
    )


def test_both_versions_of_cgroups_come_to_the_same_memory() -> None:
    first, second = by_name(measured(STATS)), by_name(measured({**STATS, "memory_stats": MEMORY_V2}))
    memory = {name for name in second if name.startswith("container_memory")}
    assert len(memory) == 4
    assert {name: first[name] for name in memory} == {name: second[name] for name in memory}


def test_a_container_without_limits_or_network_is_told_of_too() -> None:
    bare = {**CONTAINER, "HostConfig": {}, "Config": {"Image": "x", "Labels": None}}
    found = by_name(measured({"memory_stats": {}, "blkio_stats": {"io_service_bytes_recursive": None}}, bare))
    assert found["container_spec_memory_limit_bytes"] == 0
    assert "container_spec_cpu_quota" not in found
    assert found["container_fs_reads_bytes_total"] == 0


@contextmanager
def serving(answers: Mapping[str, Any]) -> Generator[tuple[str, list[str]]]:
    """An engine that knows these paths, and what it was asked."""
    asked: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            found = answers.get(self.path.partition("?")[0])
            self.send_response(200 if found is not None else 404)
            self.end_headers()
            self.wfile.write(found if isinstance(found, bytes) else json.dumps(found).encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"tcp://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_container_that_ends_while_it_is_asked_about_is_left_out() -> None:
    answers = {"/containers/json": [{"Id": "abc"}, {"Id": "gone"}], "/containers/abc/json": CONTAINER}
    with serving({**answers, "/containers/abc/stats": STATS, "/containers/gone/json": {**CONTAINER, "Id": "gone"}}) as (
        address,
        _,
    ):
        families = Families()
        Containers(Engine(address)).add_to(families, 1.0)
    assert sum(name.startswith("container_last_seen") for name in told(families)) == 1


def test_what_never_changes_of_a_container_is_asked_for_once() -> None:
    answers = {"/containers/json": [{"Id": "abc"}], "/containers/abc/json": CONTAINER, "/containers/abc/stats": STATS}
    with serving(answers) as (address, asked):
        containers = Containers(Engine(address))
        for _ in range(2):
            containers.add_to(Families(), 1.0)
    assert asked.count("/containers/abc/json") == 1
    assert asked.count("/containers/abc/stats?stream=false&one-shot=true") == 2


@pytest.mark.parametrize("answer", [b"", b"<html>"])
def test_an_answer_that_is_no_json_is_an_error_that_names_the_path(answer: bytes) -> None:
    with serving({"/nodes": answer}) as (address, _), pytest.raises(EngineError, match="/nodes: no JSON"):
        Engine(address).get("/nodes")


def test_an_engine_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(EngineError, match="unix:///no/such/socket does not answer /nodes"):
        Engine("unix:///no/such/socket").get("/nodes")


def node(name: str, *, role: str = "worker", state: str = "ready", manager: Any = None) -> dict[str, Any]:
    return {
        "ID": f"id-{name}",
        "Spec": {"Role": role, "Availability": "active"},
        "Description": {
            "Hostname": name,
            "Resources": {"NanoCPUs": 2 * 10**9, "MemoryBytes": 2**30},
            "Engine": {"EngineVersion": "20.10.24"},
        },
        "Status": {"State": state},
        **({"ManagerStatus": manager} if manager else {}),
    }


NODES = [
    node("worker-2", state="down"),
    node("worker-1"),
    node("manager-1", role="manager", manager={"Leader": True, "Reachability": "reachable"}),
    node("manager-2", role="manager", state="down", manager={"Reachability": "unreachable"}),
]
WEB = {"ID": "w", "Spec": {"Name": "web", "Mode": {"Replicated": {"Replicas": 3}}}}
EDGE = {"ID": "e", "Spec": {"Name": "edge", "Mode": {"Global": {}}}, "UpdateStatus": {"State": "rollback_paused"}}
JOB = {"ID": "j", "Spec": {"Name": "job", "Mode": {"ReplicatedJob": {}}}}


def task(service: str, node_name: str, state: str = "running") -> dict[str, Any]:
    return {"ServiceID": service, "NodeID": f"id-{node_name}", "Status": {"State": state}}


TASKS = [
    task("w", "worker-1"),
    task("w", "worker-1", "starting"),
    # The managers were not told that it ended, and never will be: its node is down.
    task("w", "worker-2"),
    task("e", "worker-1"),
    task("e", "manager-1"),
    {"ServiceID": "w", "Status": {"State": "pending"}},
]


def swarm(metric: str, families: Families) -> dict[str, float]:
    """Values by the first label's value."""
    return {name.split('"')[1]: value for name, value in told(families).items() if name.startswith(f"{metric}{{")}


def test_nodes_and_managers_are_told_of_by_name() -> None:
    families = Families()
    add_nodes(families, NODES)
    assert swarm("flotilla_swarm_node_ready", families) == {
        "manager-1": 1,
        "manager-2": 0,
        "worker-1": 1,
        "worker-2": 0,
    }
    assert swarm("flotilla_swarm_manager_reachable", families) == {"manager-1": 1, "manager-2": 0}
    assert swarm("flotilla_swarm_manager_leader", families) == {"manager-1": 1, "manager-2": 0}
    assert (
        'flotilla_swarm_node_info{node="worker-2",node_id="id-worker-2",role="worker",availability="active",'
        'state="down",version="20.10.24"}'
    ) in told(families)


def test_a_task_on_a_node_that_is_down_does_not_run_whatever_it_said_last() -> None:
    families = Families()
    add_services(families, [WEB, EDGE], TASKS, NODES)
    assert swarm("flotilla_swarm_service_tasks_desired", families) == {"edge": 2, "web": 3}
    assert swarm("flotilla_swarm_service_tasks_running", families) == {"edge": 2, "web": 1}


def test_an_update_that_stopped_is_told_and_a_job_that_ended_is_not_missed() -> None:
    families = Families()
    add_services(families, [WEB, EDGE, JOB], TASKS, NODES)
    assert swarm("flotilla_swarm_service_update_paused", families) == {"edge": 1, "web": 0}
    assert "job" not in swarm("flotilla_swarm_service_tasks_desired", families)


def test_of_tasks_only_those_that_should_run_are_asked_for() -> None:
    with serving({"/nodes": NODES, "/services": [WEB], "/tasks": TASKS}) as (address, asked):
        add_swarm(Families(), Engine(address))
    assert asked == ["/nodes", "/services", "/tasks?filters=%7B%22desired-state%22%3A%20%5B%22running%22%5D%7D"]


def test_the_validity_of_the_certificate_of_a_node_is_read_from_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    folder.mkdir()
    words = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-days", "90"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(folder / "swarm-node.crt")]
    subprocess.run([*words, *files], check=True, capture_output=True)
    families = Families()
    add_certificate(families, tmp_path)
    found = told(families)
    since, until = (found[f"flotilla_swarm_certificate_not_{end}_seconds"] for end in ("before", "after"))
    assert until - since == 90 * 24 * 3600


def test_a_machine_without_certificate_and_log_tells_of_none(tmp_path: Path) -> None:
    families = Families()
    add_certificate(families, tmp_path)
    add_raft(families, tmp_path)
    assert told(families) == {}


def test_the_raft_log_has_the_size_that_it_takes_on_disk(tmp_path: Path) -> None:
    for kind, size in (("wal", 10_000), ("snap", 5_000)):
        folder = tmp_path / "raft" / f"{kind}-v3-encrypted"
        folder.mkdir(parents=True)
        (folder / "1").write_bytes(b"x" * size)
    sparse = tmp_path / "raft" / "wal-v3-encrypted" / "2"
    with sparse.open("wb") as file:
        file.truncate(64 * 2**20)
    families = Families()
    add_raft(families, tmp_path)
    sizes = swarm("flotilla_swarm_raft_bytes", families)
    assert set(sizes) == {"wal", "snapshot"}
    assert 10_000 <= sizes["wal"] < 2**20, "a log file is made as large as it may become, and takes no room before"
    assert 5_000 <= sizes["snapshot"] < 2**20


def test_the_machines_interfaces_are_told_of_without_loopback(tmp_path: Path) -> None:
    table = tmp_path / "dev"
    table.write_text(
        "Inter-|   Receive                            |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop\n"
        "    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n"
        "  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
    )
    families = Families()
    add_network(families, table)
    assert told(families) == {
        'node_network_receive_bytes_total{device="eth0"}': 1,
        'node_network_receive_packets_total{device="eth0"}': 2,
        'node_network_receive_errs_total{device="eth0"}': 3,
        'node_network_receive_drop_total{device="eth0"}': 4,
        'node_network_transmit_bytes_total{device="eth0"}': 5,
        'node_network_transmit_packets_total{device="eth0"}': 6,
        'node_network_transmit_errs_total{device="eth0"}': 7,
        'node_network_transmit_drop_total{device="eth0"}': 8,
    }


def test_labels_cannot_break_out_of_their_quotes() -> None:
    families = Families()
    families.gauge("x", "X.", 1, {"a": 'q"\\\n'})
    assert families.render() == '# HELP x X.\n# TYPE x gauge\nx{a="q\\"\\\\\\n"} 1\n'


@contextmanager
def exporter(environment: Mapping[str, str], part: str = "swarm") -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(pages(part, environment)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_who_asks_while_no_manager_answers_is_told_so_and_the_next_gets_an_answer() -> None:
    answers: dict[str, Any] = {}
    with serving(answers) as (address, _), exporter({"DOCKER_HOST": address}) as url:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/healthz")
        assert refused.value.code == 503
        assert "EngineError: /nodes: 404" in refused.value.read().decode()
        answers |= {"/nodes": NODES, "/services": [WEB], "/tasks": TASKS}
        assert urllib.request.urlopen(f"{url}/healthz").read() == b"4 nodes\n"
        assert b"flotilla_swarm_node_ready" in urllib.request.urlopen(f"{url}/metrics").read()


def test_the_engines_own_metrics_are_handed_on_as_they_are() -> None:
    with serving({"/metrics": b"engine_daemon_engine_cpus_cpus 2\n"}) as (address, _):
        engine = address.removeprefix("tcp://")
        with exporter({"ENGINE_METRICS": engine}, "node") as url:
            assert urllib.request.urlopen(f"{url}/engine").read() == b"engine_daemon_engine_cpus_cpus 2\n"
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{url}/containers/json")


def test_an_exporter_of_a_node_is_healthy_when_its_engine_lists_containers_whatever_metrics_the_engine_has() -> None:
    answers: dict[str, Any] = {}
    with serving(answers) as (address, _):
        environment = {"DOCKER_HOST": address, "ENGINE_METRICS": "127.0.0.1:1"}
        with exporter(environment, "node") as url:
            with pytest.raises(urllib.error.HTTPError, match="503"):
                urllib.request.urlopen(f"{url}/healthz")
            answers["/containers/json"] = [{"Id": "abc"}]
            assert urllib.request.urlopen(f"{url}/healthz").read() == b"1 containers\n"
            with pytest.raises(urllib.error.HTTPError, match="503"):
                urllib.request.urlopen(f"{url}/engine")


def test_a_part_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(SystemExit, match="unknown part 'moon': use node or swarm"):
        pages("moon", {})
