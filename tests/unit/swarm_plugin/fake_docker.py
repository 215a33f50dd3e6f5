"""A world of machines whose Docker daemons form swarms, in memory: as much of the engine's API as the plugin uses."""

import copy
import itertools
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from docker.errors import APIError
from pulumi.runtime.proto import provider_pb2_grpc
from requests import Response
from requests.exceptions import ConnectionError as BrokenError

from plugins.swarm.journal import Journal
from plugins.swarm.operation import Session
from plugins.swarm.server import Server
from plugins.swarm.ssh import DockerTunnel, Finished, SshError
from plugins.swarm.tunnels import Tunnels
from tests.unit.swarm_plugin.client import Engine

WORKER_TOKEN = "SWMTKN-1-sentinel-worker"
MANAGER_TOKEN = "SWMTKN-1-sentinel-manager"
UNLOCK_KEY = "SWMKEY-1-sentinel-key"


def refused(status: int, message: str) -> APIError:
    """An answer of a daemon that is an error."""
    response = Response()
    response.status_code = status
    return APIError(message, response=response, explanation=message)


@dataclass
class FakeSwarm:
    """One swarm and what all of its managers know."""

    id: str
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    spec: dict[str, Any] = field(
        default_factory=lambda: {
            "Orchestration": {"TaskHistoryRetentionLimit": 5},
            "Raft": {"SnapshotInterval": 10000},
            "CAConfig": {"NodeCertExpiry": 7776000 * 10**9},
            "EncryptionConfig": {"AutoLockManagers": False},
        }
    )
    birth: dict[str, Any] = field(default_factory=dict[str, Any])
    services: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    tasks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    version: int = 1
    fewest_managers: int = 99

    def managers(self) -> list[dict[str, Any]]:
        return [node for node in self.nodes.values() if node["Spec"]["Role"] == "manager"]

    def count(self) -> None:
        """Keep the smallest number of managers that there ever was, once there were any."""
        self.fewest_managers = min(self.fewest_managers, len(self.managers()))


class FakeDaemon:
    """The Docker daemon of one machine."""

    api_version = "1.41"

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.swarm: FakeSwarm | None = None
        self.node_id = ""
        self.up = True
        self.hiccups = 0

    def close(self) -> None:
        pass

    def info(self) -> dict[str, Any]:
        base = {"Name": self.name, "ServerVersion": "20.10.24", "Architecture": "x86_64", "NCPU": 2, "MemTotal": 2**31}
        node = self._node()
        if self.swarm is None:
            return {**base, "Swarm": {"LocalNodeState": "inactive"}}
        is_manager = node is not None and node["Spec"]["Role"] == "manager"
        swarm = {
            "LocalNodeState": "active",
            "NodeID": self.node_id,
            "NodeAddr": self.name,
            "ControlAvailable": is_manager,
            "RemoteManagers": [{"Addr": f"{one['Description']['Hostname']}:2377"} for one in self.swarm.managers()],
        }
        return {**base, "Swarm": {**swarm, **({"Cluster": {"ID": self.swarm.id}} if is_manager else {})}}

    def init_swarm(self, **options: Any) -> None:
        self.swarm = self.world.new_swarm(options)
        self._become("manager")

    def join_swarm(self, *, join_token: str, remote_addrs: list[str], **options: Any) -> None:
        self.world.joins.append(dict(options, remote_addrs=remote_addrs))
        if self.hiccups:
            self.hiccups -= 1
            raise refused(500, "rpc error: code = Unavailable desc = transport is closing")
        if self.name in self.world.refuse_join:
            raise refused(500, f"cannot join with {join_token}: {self.world.refuse_join[self.name]}")
        target = remote_addrs[0].partition(":")[0]
        self.swarm = self.world.daemon(target).swarm
        self._become("manager" if join_token == MANAGER_TOKEN else "worker")

    def leave_swarm(self, force: bool = False) -> None:
        assert self.swarm is not None
        if self.node_id in self.swarm.nodes:
            node = self.swarm.nodes[self.node_id]
            if node["Spec"]["Role"] == "manager" and not force:
                raise refused(503, "You are attempting to leave the swarm on a node that is participating as a manager")
            node["Status"]["State"] = "down"
        self.swarm = None

    def inspect_swarm(self) -> dict[str, Any]:
        swarm = self._manage()
        tokens = {"Worker": WORKER_TOKEN, "Manager": MANAGER_TOKEN}
        versioned = {"ID": swarm.id, "Version": {"Index": swarm.version}, "Spec": copy.deepcopy(swarm.spec)}
        return {**versioned, "JoinTokens": tokens, **swarm.birth}

    def update_swarm(self, version: int, swarm_spec: dict[str, Any]) -> None:
        swarm = self._manage()
        if self.hiccups:
            self.hiccups -= 1
            raise refused(500, "rpc error: code = Unknown desc = update out of sequence")
        assert version == swarm.version
        swarm.spec, swarm.version = swarm_spec, swarm.version + 1

    def get_unlock_key(self) -> dict[str, str]:
        return {"UnlockKey": UNLOCK_KEY}

    def nodes(self) -> list[dict[str, Any]]:
        return [self._seen(node) for node in self._manage().nodes.values()]

    def inspect_node(self, node_id: str) -> dict[str, Any]:
        nodes = self._manage().nodes
        if node_id not in nodes:
            raise refused(404, f"node {node_id} not found")
        return self._seen(nodes[node_id])

    def update_node(self, node_id: str, version: int, node_spec: dict[str, Any]) -> None:
        swarm = self._manage()
        node = swarm.nodes[node_id]
        if version != node["Version"]["Index"]:
            raise refused(500, "rpc error: code = Unknown desc = update out of sequence")
        node["Spec"] = copy.deepcopy(node_spec)
        node["Version"]["Index"] += 1
        swarm.count()
        if node_spec["Availability"] == "drain" and not self.world.stubborn_tasks:
            for task in swarm.tasks:
                if task["NodeID"] == node_id:
                    task["Status"]["State"] = "shutdown"

    def remove_node(self, node_id: str, force: bool = False) -> None:
        swarm = self._manage()
        assert force or swarm.nodes[node_id]["Status"]["State"] == "down"
        del swarm.nodes[node_id]

    def tasks(self, filters: dict[str, str]) -> list[dict[str, Any]]:
        swarm = self._manage()
        if "node" in filters:
            return [task for task in swarm.tasks if task["NodeID"] == filters["node"]]
        return [task for task in swarm.tasks if task["ServiceID"] == filters["service"]]

    def services(self, filters: dict[str, str]) -> list[dict[str, Any]]:
        return [one for one in self._manage().services.values() if one["Spec"]["Name"].startswith(filters["name"])]

    def create_service(self, template: dict[str, Any], *, name: str, labels: Any, mode: Any) -> dict[str, str]:
        swarm = self._manage()
        service_id = f"service-{len(self.world.started) + 1}"
        swarm.services[service_id] = {"ID": service_id, "Spec": {"Name": name, "Mode": mode, "TaskTemplate": template}}
        self.world.started.append(name)
        self.world.errands.append(template["ContainerSpec"].get("Command") or [])
        state, code = self.world.job_ends
        status = {"State": state, "Err": "task: non-zero exit" if code else "", "ContainerStatus": {"ExitCode": code}}
        swarm.tasks.append(
            {"ID": f"task-{service_id}", "ServiceID": service_id, "NodeID": "n1", "CreatedAt": "1", "Status": status}
        )
        return {"ID": service_id}

    def inspect_service(self, service_id: str) -> dict[str, Any]:
        services = self._manage().services
        if service_id not in services:
            raise refused(404, f"service {service_id} not found")
        return services[service_id]

    def service_logs(self, service_id: str, **options: Any) -> Iterator[bytes]:
        # As the engine: a tail counts the lines of both, and then one of them is left out.
        said = [("stdout", b"first\n"), ("stderr", b"second\n")]
        if options["tail"] != "all":
            said = said[-int(options["tail"]) :]
        yield from (line for stream, line in said if options[stream])

    def remove_service(self, service_id: str) -> None:
        if self._manage().services.pop(service_id, None) is None:
            raise refused(404, f"service {service_id} not found")

    def _manage(self) -> FakeSwarm:
        node = self._node()
        if self.swarm is None or node is None or node["Spec"]["Role"] != "manager":
            raise refused(503, "This node is not a swarm manager.")
        alive = [self.world.daemon(one["Description"]["Hostname"]).up for one in self.swarm.managers()]
        if sum(alive) <= len(alive) // 2:
            raise refused(500, "rpc error: code = Unknown desc = The swarm does not have a leader.")
        return self.swarm

    def _node(self) -> dict[str, Any] | None:
        return self.swarm.nodes.get(self.node_id) if self.swarm else None

    def _seen(self, node: dict[str, Any]) -> dict[str, Any]:
        name = node["Description"]["Hostname"]
        up = self.world.daemon(name).up and self.world.daemon(name).swarm is not None
        seen = {**copy.deepcopy(node), "Status": {"State": "ready" if up else "down", "Addr": name}}
        if name in self.world.never_ready:
            seen["Status"]["State"] = "unknown"
        if node["Spec"]["Role"] == "manager":
            seen["ManagerStatus"] = {"Reachability": "reachable" if up else "unreachable", "Addr": f"{name}:2377"}
        return seen

    def _become(self, role: str) -> None:
        assert self.swarm is not None
        self.node_id = f"node-{self.name}-{next(self.world.numbers)}"
        self.swarm.nodes[self.node_id] = {
            "ID": self.node_id,
            "Version": {"Index": 1},
            "Spec": {"Role": role, "Availability": "active", "Labels": {}},
            "Description": {"Hostname": self.name},
            "Status": {"State": "ready"},
        }


@dataclass
class World:
    """All machines, and the engine under test that reaches them."""

    machines: dict[str, FakeDaemon] = field(default_factory=dict[str, FakeDaemon])
    swarms: list[FakeSwarm] = field(default_factory=list[FakeSwarm])
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    joins: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    started: list[str] = field(default_factory=list[str])
    errands: list[list[str]] = field(default_factory=list[list[str]])
    refuse_join: dict[str, str] = field(default_factory=dict[str, str])
    never_ready: set[str] = field(default_factory=set[str])
    stubborn_tasks: bool = False
    job_ends: tuple[str, int] = ("complete", 0)
    unreachable: str = "ssh: connect to host {} port 22: Connection refused"
    cloud_init: str = "status: done"
    commands: list[Sequence[str]] = field(default_factory=list[Sequence[str]])
    lock: Any = field(default_factory=threading.RLock)
    opened: int = 0

    def daemon(self, name: str) -> FakeDaemon:
        return self.machines.setdefault(name, FakeDaemon(self, name))

    def new_swarm(self, options: dict[str, Any]) -> FakeSwarm:
        self.swarms.append(FakeSwarm(f"swarm-{len(self.swarms) + 1}"))
        given = (("DataPathPort", "data_path_port"), ("DefaultAddrPool", "default_addr_pool"))
        self.swarms[-1].birth = {name: options[key] for name, key in given if options.get(key)}
        return self.swarms[-1]

    def connect(self, host: str, options: Sequence[str], timeout: float) -> DockerTunnel:
        daemon = self._reach(host)
        self.opened += 1
        return DockerTunnel(host, _Locked(daemon, self))  # pyright: ignore[reportArgumentType]

    def run(self, host: str, options: Sequence[str], argv: Sequence[str], timeout: float, given: str) -> Finished:
        self._reach(host)
        self.commands.append([*options, *argv])
        for option in options:
            if option.startswith("UserKnownHostsFile=/") and "null" not in option:
                Path(option.partition("=")[2]).write_text("m9 ssh-ed25519 AAAARECORDED\n")
        return Finished(0, self.cloud_init, "")

    def _reach(self, host: str) -> FakeDaemon:
        daemon = self.daemon(host.partition("@")[2].partition(":")[0])
        if not daemon.up:
            raise SshError(self.unreachable.format(daemon.name))
        return daemon


class _Locked:
    """A daemon as a client: one call at a time over the whole world, and none to a machine that is down."""

    def __init__(self, daemon: FakeDaemon, world: World) -> None:
        self._daemon = daemon
        self._world = world

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._daemon, name)
        if not callable(value):
            return value

        def call(*words: Any, **named: Any) -> Any:
            with self._world.lock:
                if not self._daemon.up and name != "close":
                    raise BrokenError("the machine is down")
                return value(*words, **named)

        return call


@contextmanager
def served(world: World) -> Generator[tuple[Engine, Session]]:
    """An engine that talks to the provider's real service in this process, over the machines of this world."""
    session = Session(tunnels=Tunnels(), connect=world.connect, run=world.run)
    server = grpc.server(ThreadPoolExecutor(128))

    def start(engine_address: str) -> str:
        servicer = Server(session, Journal(engine_address))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        return f"127.0.0.1:{port}"

    with Engine(start) as engine:
        yield engine, session
        server.stop(None)


def connection(name: str) -> dict[str, Any]:
    """The way to a machine of the world."""
    return {"address": name, "port": 22, "user": "root", "hostKey": f"ssh-ed25519 AAAA{name}"}
