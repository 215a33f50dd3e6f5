"""What the swarm says of itself, asked of a manager's engine through the proxy before its socket."""

import http.client
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

_TIMEOUT_SECONDS: Final = 5
_FRESH_SECONDS: Final = 2.0
"""Every node's proxy and every open page asks; the engine is asked for them all at once."""


class SwarmError(Exception):
    """The swarm does not answer; the message is for a person."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node as `docker node ls` shows it, and its labels and engine."""

    identity: str
    name: str
    role: str
    state: str
    availability: str
    manager: str
    address: str
    engine: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service as `docker service ls` shows it; `networks` are names, `volumes` are `source:target`."""

    identity: str
    name: str
    mode: str
    running: int
    desired: int
    image: str
    ports: Sequence[str]
    networks: Sequence[str]
    volumes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task as `docker service ps` shows it; `since` is when its state began, in ISO 8601."""

    name: str
    service: str
    node: str
    image: str
    desired: str
    state: str
    since: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network of the swarm."""

    name: str
    driver: str
    scope: str
    subnets: Sequence[str]
    options: Sequence[str]


@dataclass(kw_only=True)
class Swarm:
    """A swarm behind `endpoint` (`tcp://host:2375`). What was asked for is kept for a moment."""

    endpoint: str
    _kept: dict[str, tuple[float, Any]] = field(default_factory=dict[str, tuple[float, Any]])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def nodes(self) -> list[Node]:
        """Managers first."""
        return sorted((_node(one) for one in self._get("/nodes")), key=lambda node: (node.role, _natural(node.name)))

    def services(self) -> list[Service]:
        """In the order of their names."""
        networks = {one["Id"]: str(one["Name"]) for one in self._get("/networks")}
        found = [_service(one, networks) for one in self._get("/services?status=true")]
        return sorted(found, key=lambda service: service.name)

    def tasks(self) -> list[Task]:
        """By service and slot, the latest first: as `docker service ps` has them."""
        nodes = {one["ID"]: str(one["Description"]["Hostname"]) for one in self._get("/nodes")}
        services = {one["ID"]: str(one["Spec"]["Name"]) for one in self._get("/services?status=true")}
        found = sorted(self._get("/tasks"), key=lambda one: one["Status"].get("Timestamp", ""), reverse=True)
        return sorted((_task(one, nodes, services) for one in found), key=lambda task: _natural(task.name))

    def networks(self) -> list[Network]:
        """Those that reach over nodes."""
        found = [_network(one) for one in self._get("/networks") if one["Scope"] == "swarm"]
        return sorted(found, key=lambda network: network.name)

    def _get(self, path: str) -> Any:
        with self._lock:
            at, value = self._kept.get(path, (float("-inf"), None))
            if time.monotonic() - at > _FRESH_SECONDS:
                value = _tried(self.endpoint, path)
                self._kept[path] = (time.monotonic(), value)
        # Failures are kept too: who waits for a swarm that is silent would stand in a line behind each other.
        if isinstance(value, SwarmError):
            raise value
        return value


def _tried(endpoint: str, path: str) -> Any:
    try:
        return _asked(endpoint, path)
    except SwarmError as error:
        return error


def _asked(endpoint: str, path: str) -> Any:
    where = urlsplit(endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise SwarmError(f"{path.partition('?')[0]} was answered with {answer.status}: {_reason(body)}")
        return json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SwarmError(f"{where.netloc} does not answer: {error or type(error).__name__}") from error
    finally:
        connection.close()


def _reason(body: bytes) -> str:
    """The engine's own words, or the beginning of what a proxy says."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:100]


def _node(one: dict[str, Any]) -> Node:
    spec, status, manager = one["Spec"], one["Status"], one.get("ManagerStatus") or {}
    return Node(
        identity=one["ID"],
        name=one["Description"]["Hostname"],
        role=spec["Role"],
        state=status["State"],
        availability=spec["Availability"],
        manager="leader" if manager.get("Leader") else manager.get("Reachability", ""),
        address=status.get("Addr", ""),
        engine=one["Description"].get("Engine", {}).get("EngineVersion", ""),
        labels=spec.get("Labels") or {},
    )


def _service(one: dict[str, Any], networks: Mapping[str, str]) -> Service:
    spec, status = one["Spec"], one.get("ServiceStatus") or {}
    task = spec["TaskTemplate"]
    container = task.get("ContainerSpec") or {}
    attached = task.get("Networks") or spec.get("Networks") or []
    return Service(
        identity=one["ID"],
        name=spec["Name"],
        mode="global" if "Global" in spec["Mode"] else "replicated",
        running=status.get("RunningTasks", 0),
        desired=status.get("DesiredTasks", 0),
        image=short_image(container.get("Image", "")),
        ports=[_port(port) for port in (one.get("Endpoint") or {}).get("Ports") or []],
        networks=[networks.get(network["Target"], network["Target"]) for network in attached],
        volumes=[
            f"{mount.get('Source', '')}:{mount['Target']}"
            for mount in container.get("Mounts") or []
            if mount.get("Type") == "volume"
        ],
    )


def _port(port: dict[str, Any]) -> str:
    return f"{port.get('PublishedPort', '')}→{port['TargetPort']}/{port['Protocol']} ({port['PublishMode']})"


def _task(one: dict[str, Any], nodes: Mapping[str, str], services: Mapping[str, str]) -> Task:
    status = one["Status"]
    service = services.get(one.get("ServiceID", ""), one.get("ServiceID", ""))
    node = one.get("NodeID", "")
    return Task(
        name=f"{service}.{one.get('Slot') or nodes.get(node, node)}",
        service=service,
        node=nodes.get(node, node),
        image=short_image((one["Spec"].get("ContainerSpec") or {}).get("Image", "")),
        desired=one["DesiredState"],
        state=status["State"],
        since=status.get("Timestamp", "").partition(".")[0],
        error=status.get("Err", ""),
    )


def _network(one: dict[str, Any]) -> Network:
    configured = (one.get("IPAM") or {}).get("Config") or []
    words = [word for word, key in (("internal", "Internal"), ("attachable", "Attachable")) if one.get(key)]
    encrypted = ["encrypted"] if "encrypted" in (one.get("Options") or {}) else []
    return Network(
        name=one["Name"],
        driver=one["Driver"],
        scope=one["Scope"],
        subnets=[part["Subnet"] for part in configured if "Subnet" in part],
        options=[*words, *encrypted],
    )


def short_image(reference: str) -> str:
    """A reference with the first twelve digits of its digest."""
    name, at, digest = reference.partition("@sha256:")
    return name + at + digest[:12]


def _natural(name: str) -> list[tuple[int, str]]:
    """Numbers in a name by their value: worker-2 before worker-10."""
    parts = name.replace(".", "-").split("-")
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
