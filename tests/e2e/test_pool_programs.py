"""The programs of a pool on real machines: a worker joins by itself, is labelled, gives up its tasks and is forgotten.

Everything is as user data brings it, systemd units too; only AWS is a file that the tests write. The tests follow one
another, as a machine's life does."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.clouds.aws.pool import MachineProgram, manager_files, worker_files
from tests.e2e.machine_containers import Machines
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MANAGER, WORKER = "manager-1", "i-0a"
REGION, PREFIX, GROUP = "eu-central-1", "flotilla-test", "flotilla-test-workers"
STATE = "/etc/aws.json"
LIBRARY = "/usr/lib/python3/dist-packages/boto3.py"
AWS = f"""
import json

def client(name, region_name):
    assert region_name == "{REGION}"
    return Client()

class Client:
    def _state(self):
        with open("{STATE}") as file:
            return json.load(file)

    def get_parameter(self, Name, WithDecryption):
        return {{"Parameter": {{"Value": self._state()[Name]}}}}

    def describe_auto_scaling_groups(self, AutoScalingGroupNames):
        return {{"AutoScalingGroups": [self._state()[name] for name in AutoScalingGroupNames]}}

    def complete_lifecycle_action(self, **arguments):
        pass

    def get_paginator(self, name):
        return self

    def paginate(self, Filters):
        known = self._state()["instances"]
        found = [one for one in known if one["InstanceId"] in Filters[0]["Values"]]
        yield {{"Reservations": [{{"Instances": found}}]}}
"""
# An image that is on no registry: the machine's own shell and what it needs.
TINY = (
    "tar -C / -ch bin/sh bin/sleep lib/x86_64-linux-gnu/libc.so.6 lib64/ld-linux-x86-64.so.2 | docker import - tiny:1"
)


@dataclass
class Pool:
    """A manager and a machine that wants to be a worker, with what AWS says of them."""

    machines: Machines
    aws: dict[str, Any] = field(default_factory=dict[str, Any])

    def install(self, machine: str, program: MachineProgram) -> None:
        """What user data does."""
        for path, content in {**program.files, LIBRARY: AWS}.items():
            self.write(machine, path, content)
        for command in program.commands:
            self.machines.shell(machine, command)

    def write(self, machine: str, path: str, content: str) -> None:
        text = base64.b64encode(content.encode()).decode()
        self.machines.shell(machine, f"mkdir -p {Path(path).parent} && echo {text} | base64 -d > {path}")

    def say(self, state: str | None, instance: str = "running") -> None:
        """From now on the worker is in this state of the group's (None: not in it any more) and of EC2's."""
        member = {"InstanceId": WORKER, "LifecycleState": state, "AvailabilityZone": f"{REGION}a"}
        self.aws[GROUP] = {
            "Instances": [member] if state else [],
            "Tags": [{"Key": "flotilla:label:disk", "Value": "ssd"}],
        }
        self.aws["instances"] = [
            {"InstanceId": MANAGER, "PrivateIpAddress": "", "State": {"Name": "running"}},
            {"InstanceId": WORKER, "PrivateIpAddress": self.address, "State": {"Name": instance}},
        ]
        self.write(MANAGER, STATE, json.dumps(self.aws))

    def docker(self, *words: str) -> str:
        return self.machines.docker(MANAGER, *words)

    def nodes(self) -> list[str]:
        """Names and states, as `name Ready`."""
        return self.docker("node", "ls", "--format", "{{.Hostname}} {{.Status}}").splitlines()

    def journal(self, machine: str, unit: str) -> str:
        return self.machines.shell(machine, f"journalctl --no-pager --output cat --unit {unit}")

    def start(self) -> None:
        """The swarm begins; nobody has joined."""
        for machine in (MANAGER, WORKER):
            wait_for("its engine", lambda machine=machine: "Server Version" in self.machines.docker(machine, "info"))
            self.machines.shell(machine, TINY)
        self.address = self.machines.address(WORKER)
        manager = self.machines.address(MANAGER)
        self.docker("swarm", "init", "--advertise-addr", manager, "--data-path-port", "7790")
        self.token = self.docker("swarm", "join-token", "--quiet", "worker").strip()
        self.invitation = {f"/{PREFIX}/worker-join": json.dumps({"managers": [f"{manager}:2377"], "token": self.token})}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    directory: Path = tmp_path_factory.mktemp("pool")
    with Machines(directory, (MANAGER, WORKER)) as machines:
        pool = Pool(machines)
        pool.start()
        yield pool


def test_a_machine_joins_by_itself_as_soon_as_its_parameter_is_there(pool: Pool) -> None:
    pool.install(WORKER, worker_files(REGION, PREFIX))
    wait_for("the first attempt", lambda: "not yet" in pool.journal(WORKER, "flotilla-join"))
    pool.write(WORKER, STATE, json.dumps(pool.invitation))
    wait_for("the worker", lambda: f"{WORKER} Ready" in pool.nodes())
    wait_for("the program to say so", lambda: "is a worker of the swarm" in pool.journal(WORKER, "flotilla-join"))


def test_the_token_is_in_no_journal(pool: Pool) -> None:
    journal = pool.machines.shell(WORKER, "journalctl --no-pager")
    assert "is a worker of the swarm" in journal
    assert pool.token.startswith("SWMTKN-")
    assert pool.token not in journal


def test_the_leader_labels_the_new_node_and_lets_it_into_service(pool: Pool) -> None:
    pool.say("Pending:Wait")
    pool.install(MANAGER, manager_files(REGION, PREFIX))
    wait_for("the labels", lambda: f"{WORKER}: joining is complete" in pool.journal(MANAGER, "flotilla-pool"))
    labels = json.loads(pool.machines.asked(MANAGER, "node", "inspect", "--format", "{{json .Spec.Labels}}", WORKER))
    assert labels == {
        "disk": "ssd",
        "zone": f"{REGION}a",
        "flotilla.instance": WORKER,
        "flotilla.labels": "disk",
        "flotilla.pool": GROUP,
    }


def test_a_machine_that_is_to_go_ends_its_tasks_before_it_is_let_go(pool: Pool) -> None:
    pool.docker(
        *("service", "create", "--detach", "--name", "sleeper", "--no-resolve-image", "--stop-grace-period", "20s"),
        *("--constraint", "node.labels.disk==ssd", "--init", "tiny:1", "/bin/sh", "-c", "trap '' TERM; sleep 1000"),
    )
    wait_for("the service", lambda: "1/1" in pool.docker("service", "ls"))
    pool.say("Terminating:Wait")
    wait_for("the machine to go", lambda: f"{WORKER}: leaving is complete" in pool.journal(MANAGER, "flotilla-pool"))
    assert pool.machines.asked(WORKER, "info", "--format", "{{.ContainersRunning}}") == "0\n"
    assert pool.machines.asked(MANAGER, "node", "inspect", "--format", "{{.Spec.Availability}}", WORKER) == "drain\n"


def test_the_node_of_a_machine_that_is_gone_is_forgotten(pool: Pool) -> None:
    pool.say("Terminating:Proceed")
    pool.machines.remove(WORKER)
    wait_for("the swarm to notice", lambda: f"{WORKER} Down" in pool.nodes())
    pool.say(None, "terminated")
    wait_for("the node to be removed", lambda: pool.nodes() == [f"{MANAGER} Ready"])
