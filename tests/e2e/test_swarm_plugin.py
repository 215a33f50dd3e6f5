"""The swarm plugin on real machines: three managers and a worker join, change, lose members and run jobs.

The tests follow one another on one swarm, as its life does."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machine_containers import Machines
from tests.unit.swarm_plugin.client import Engine, FailedError, Object
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MANAGERS = ("manager-1", "manager-2", "manager-3")
NAMES = (*MANAGERS, "worker-1")
# An image that is on no registry: the machine's own shell and what it needs.
TINY = (
    "tar -C / -ch bin/sh bin/sleep lib/x86_64-linux-gnu/libc.so.6 lib64/ld-linux-x86-64.so.2 | docker import - tiny:1"
)


@dataclass
class Swarm:
    """One swarm under test: machines, the plugin, and the resources made so far."""

    machines: Machines
    engine: Engine
    hosts: dict[str, Object] = field(default_factory=dict[str, Object])
    nodes: dict[str, Object] = field(default_factory=dict[str, Object])
    cluster: Object = field(default_factory=lambda: Object(""))

    def form(self) -> None:
        with ThreadPoolExecutor(len(NAMES)) as pool:
            self.hosts = dict(zip(NAMES, pool.map(self._host, NAMES), strict=True))
            self.cluster = self.engine.create("Cluster", self.cluster_inputs())
            self.nodes = dict(zip(NAMES, pool.map(self.join, NAMES), strict=True))
            list(pool.map(lambda name: self.machines.shell(name, TINY), NAMES))

    def cluster_inputs(self, **changed: Any) -> dict[str, Any]:
        return {
            "connection": self.connections()[0],
            "managers": self.connections(),
            "advertiseAddress": self.machines.address("manager-1"),
            "dataPathPort": 7789,
            "defaultAddressPools": ["10.201.0.0/16"],
            "taskHistoryLimit": 3,
            **changed,
        }

    def connections(self) -> list[dict[str, Any]]:
        return [self.hosts[name]["connection"] for name in MANAGERS]

    def join(self, name: str) -> Object:
        role = "manager" if name in MANAGERS else "worker"
        inputs = {
            "connection": self.hosts[name]["connection"],
            "managers": self.connections(),
            "clusterId": self.cluster.id,
            "managerAddresses": self.cluster["managerAddresses"],
            "joinToken": self.cluster.outputs[f"{role}Token"],
            "role": role,
            "advertiseAddress": self.machines.address(name),
            "labels": {"zone": "a"},
        }
        return self.engine.create("Node", inputs, name=name)

    def job(self, script: str, **more: Any) -> dict[str, Any]:
        ways = {"managers": self.connections(), "clusterId": self.cluster.id}
        return {**ways, "image": "tiny:1", "command": ["/bin/sh", "-c", script], "timeout": 60, **more}

    def change(self, name: str, **changed: Any) -> None:
        node = self.nodes[name]
        self.nodes[name] = self.engine.update(node, {**node.inputs, **changed})

    def listed(self, name: str, what: str) -> str:
        """A column of `docker node inspect`, as the first manager that is left shows it."""
        return self.machines.asked("manager-1", "node", "inspect", "--format", what, name).strip()

    def _host(self, name: str) -> Object:
        # The worker's host key is not known beforehand: it is recorded at first contact.
        connection = self.machines.connection(name, pinned=name != "worker-1")
        return self.engine.create("Host", {"connection": connection, "requiredEngineVersion": "20.10"}, name=name)


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    directory: Path = tmp_path_factory.mktemp("swarm")
    with Machines(directory, NAMES) as machines, Engine(identityFile=str(machines.identity_file)) as engine:
        swarm = Swarm(machines, engine)
        swarm.form()
        yield swarm


def test_three_managers_and_a_worker_are_one_swarm(swarm: Swarm) -> None:
    def rows() -> list[list[str]]:
        columns = "{{.Hostname}} {{.Status}} {{.ManagerStatus}}"
        return [
            line.split() for line in swarm.machines.docker("manager-1", "node", "ls", "--format", columns).splitlines()
        ]

    def joined() -> bool:
        assert sorted((name, state) for name, state, *_ in rows()) == [(name, "Ready") for name in NAMES]
        # On a busy computer the lead may have moved, or be on its way.
        return sorted(word for _, _, *words in rows() for word in words) == ["Leader", "Reachable", "Reachable"]

    wait_for(lambda: f"one swarm: {rows()}", joined)
    assert swarm.hosts["worker-1"]["connection"]["hostKey"] == swarm.machines.host_keys["worker-1"]


def test_what_was_made_shows_no_difference_before_and_after_a_refresh(swarm: Swarm) -> None:
    for made in (swarm.cluster, *swarm.hosts.values(), *swarm.nodes.values()):
        assert not swarm.engine.diff(made, made.inputs).diffs
        seen = swarm.engine.read(made)
        assert seen is not None
        assert seen.id == made.id
        assert not swarm.engine.diff(seen, made.inputs).diffs


def test_creating_the_cluster_again_finds_it(swarm: Swarm) -> None:
    assert swarm.engine.create("Cluster", swarm.cluster_inputs()).id == swarm.cluster.id
    by_other_manager = swarm.cluster_inputs(connection=swarm.connections()[2])
    assert swarm.engine.create("Cluster", by_other_manager).id == swarm.cluster.id


def test_settings_of_the_swarm_change_in_place_and_the_tokens_stay(swarm: Swarm) -> None:
    inputs = swarm.cluster_inputs(taskHistoryLimit=7, certificateExpiry="1440h", snapshotInterval=5000)
    locked = swarm.engine.update(swarm.cluster, {**inputs, "autolock": True})
    assert str(locked["unlockKey"]).startswith("SWMKEY-")
    changed = swarm.engine.update(locked, {**inputs, "autolock": False})
    assert changed["unlockKey"] == ""
    assert changed["workerToken"] == swarm.cluster["workerToken"]
    assert "Task History Retention Limit: 7" in swarm.machines.asked("manager-1", "info")
    swarm.cluster = changed


def test_labels_of_ours_change_and_those_of_others_stay(swarm: Swarm) -> None:
    swarm.machines.docker("manager-1", "node", "update", "--label-add", "theirs=1", "worker-1")
    swarm.change("worker-1", labels={"disk": "ssd"})
    assert swarm.listed("worker-1", "{{json .Spec.Labels}}") == '{"disk":"ssd","theirs":"1"}'


def test_a_drift_of_availability_is_seen_and_put_right(swarm: Swarm) -> None:
    swarm.machines.docker("manager-1", "node", "update", "--availability", "pause", "worker-1")
    seen = swarm.engine.read(swarm.nodes["worker-1"])
    assert seen is not None
    assert list(swarm.engine.diff(seen, swarm.nodes["worker-1"].inputs).detailedDiff) == ["availability"]
    swarm.change("worker-1")
    assert swarm.listed("worker-1", "{{.Spec.Availability}}") == "active"


def test_a_node_is_promoted_and_demoted_in_place(swarm: Swarm) -> None:
    swarm.change("worker-1", role="manager")
    assert swarm.listed("worker-1", "{{.ManagerStatus.Reachability}}") == "reachable"
    swarm.change("worker-1", role="worker")
    assert swarm.listed("worker-1", "{{.Spec.Role}}") == "worker"


def test_a_job_gives_its_exit_code_and_its_last_lines(swarm: Swarm) -> None:
    job = swarm.engine.create("Job", swarm.job("echo one; echo two; echo three", logLines=2), name="seed")
    assert (job["exitCode"], job["state"], job["logs"]) == (0, "complete", ["two", "three"])
    assert swarm.engine.read(job) is not None
    assert swarm.engine.create("Job", job.inputs, name="seed").id == job.id, "it ran a second time"
    swarm.engine.delete(job)
    assert swarm.engine.read(job) is None


def test_a_job_that_fails_is_an_error_with_its_last_lines_and_leaves_no_service(swarm: Swarm) -> None:
    with pytest.raises(FailedError, match=r"failed \(exit code 3\); its last lines:\nno such table"):
        swarm.engine.create("Job", swarm.job("echo no such table; exit 3"), name="migrate")
    assert "migrate" not in swarm.machines.asked("manager-1", "service", "ls")


def test_a_removed_node_is_drained_first_and_then_gone(swarm: Swarm) -> None:
    swarm.machines.docker(
        *("manager-1", "service", "create", "--detach", "--name", "sleeper", "--replicas", "4", "--init"),
        *("--no-resolve-image", "--constraint", "node.role==worker", "tiny:1", "/bin/sleep", "1000"),
    )
    wait_for("four tasks", lambda: swarm.machines.asked("manager-1", "service", "ls").count("4/4") == 1)
    swarm.engine.delete(swarm.nodes["worker-1"])
    assert "worker-1" not in swarm.machines.asked("manager-1", "node", "ls")
    assert "Swarm: inactive" in swarm.machines.asked("worker-1", "info")
    assert swarm.machines.asked("worker-1", "info", "--format", "{{.ContainersRunning}}") == "0\n"
    assert swarm.engine.read(swarm.nodes["worker-1"]) is None


def test_a_dead_manager_goes_by_force_but_no_other_may_go_before(swarm: Swarm) -> None:
    swarm.machines.remove("manager-3")
    expected = "removing manager-2 leaves 1 reachable of 2 managers; majority is 2: bring manager-3 back first"

    wait_for(
        "the swarm to notice",
        lambda: swarm.listed("manager-3", "{{.ManagerStatus.Reachability}}") == "unreachable",
    )
    with pytest.raises(FailedError, match=expected):
        swarm.engine.delete(swarm.nodes["manager-2"])
    swarm.engine.delete(swarm.nodes["manager-3"])
    left = ("manager-1", "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}")
    two = ["Leader", "Reachable", "manager-1", "manager-2"]
    wait_for("two managers", lambda: sorted(swarm.machines.docker(*left).split()) == two)


def test_the_cluster_is_found_while_one_of_its_managers_is_gone(swarm: Swarm) -> None:
    seen = swarm.engine.read(swarm.cluster)
    assert seen is not None
    assert seen["endpoint"] == swarm.cluster["endpoint"]


def test_the_last_managers_leave_with_the_cluster(swarm: Swarm) -> None:
    swarm.engine.delete(swarm.nodes["manager-2"])
    swarm.engine.delete(swarm.nodes["manager-1"])
    assert "Swarm: active" in swarm.machines.asked("manager-1", "info")
    swarm.engine.delete(swarm.cluster)
    assert "Swarm: inactive" in swarm.machines.asked("manager-1", "info")
    assert swarm.engine.read(swarm.nodes["manager-1"]) is None


def test_no_token_was_said_to_anybody(swarm: Swarm) -> None:
    assert swarm.engine.log.messages
    assert "SWMTKN" not in "\n".join(swarm.engine.log.messages)


def test_no_ssh_outlives_a_plugin_that_is_killed(swarm: Swarm) -> None:
    swarm.engine.read(swarm.hosts["manager-1"])
    process = swarm.engine.process
    assert process is not None
    assert _ssh_processes(swarm)
    process.kill()
    wait_for("ssh to end", lambda: not _ssh_processes(swarm))


def _ssh_processes(swarm: Swarm) -> list[Path]:
    identity = str(swarm.machines.identity_file).encode()
    found: list[Path] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended while we looked
            found += [path] if identity in path.read_bytes() else []
    return found
