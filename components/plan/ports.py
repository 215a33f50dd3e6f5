"""Ports as data: who may reach whom, on what, and why. Security groups, router rules and local firewalls are renderings
of this one table (M90, M91, E6), so that no cloud opens more or less than another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from components.plan.errors import PlanError

Protocol = Literal["tcp", "udp", "esp"]
Source = Literal["manager", "worker", "nodes", "bastion", "balancer", "admin", "public"]
Target = Literal["manager", "worker", "nodes", "bastion", "balancer"]
Access = Literal["direct", "bastion", "session"]
"""How administrators reach SSH: every machine by itself, through one machine, or by the cloud's own session service."""

SSH = 22
DOCKER = (2375, 2376)
SWARM = 2377
GOSSIP = 7946
VXLAN = 4789
FLOCKER_CONTROL = 4523
FLOCKER_AGENT = 4524
ESP = 50
"""IP protocol number of encrypted overlay traffic, which has no ports."""

ANYWHERE = "0.0.0.0/0"
"""Everybody, as a CIDR."""

LOWEST_DATA_PATH = 1024
HIGHEST_DATA_PATH = 49151
HIGHEST = 65535

_NODES = "nodes"
_OUTSIDE = ("admin", "public")
_EVERYWHERE = ("", "0.0.0.0")  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`source` may reach `target` on ports `first` to `last` (both 0 for ESP). `nodes` are managers and workers,
    `bastion` and `balancer` single machines outside the swarm, `admin` the networks that administrators come from,
    `public` everybody."""

    protocol: Protocol
    first: int
    last: int
    source: Source
    target: Target
    why: str

    @property
    def ports(self) -> str:
        """`2377`, `30000-30010`, or nothing for ESP."""
        if self.protocol == "esp":
            return ""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def key(self) -> str:
        """A stable key for the name of a resource: `tcp-2377-nodes-manager`."""
        return "-".join(part for part in (self.protocol, self.ports, self.source, self.target) if part)


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A port that a service publishes on the nodes; `mode` is Docker's publish mode, `setting` what it is set by, where
    that is a setting of the stack."""

    service: str
    port: int
    protocol: Literal["tcp", "udp"] = "tcp"
    mode: Literal["host", "ingress"] = "ingress"
    setting: str = ""

    def __str__(self) -> str:
        return f"{self.port}/{self.protocol}"


def port_table(
    *,
    data_path_port: int = VXLAN,
    encrypted: bool = False,
    flocker: bool = False,
    publications: Sequence[Publication] = (),
    access: Access = "direct",
    statistics_port: int | None = None,
) -> tuple[Rule, ...]:
    """All rules of a cluster, checked. `encrypted` when any overlay is; `flocker` when its control service is used;
    `statistics_port` when HAProxy on a machine of its own is the only way to the published ports."""
    check_data_path_port(data_path_port)
    check_publications(publications, data_path_port=data_path_port, flocker=flocker)
    balancer = statistics_port is not None
    return (
        *_ssh_rules(access, balancer=balancer),
        *_swarm_rules(data_path_port, encrypted=encrypted, flocker=flocker),
        *_published_rules(publications, balancer=balancer),
        *([_rule("tcp", statistics_port, "admin", "balancer", "HAProxy's statistics")] if statistics_port else []),
    )


def _ssh_rules(access: Access, *, balancer: bool) -> Iterator[Rule]:
    """A session of the cloud's own service comes from inside the machine and needs no rule."""
    if access == "session":
        return
    if access == "bastion":
        yield _rule("tcp", SSH, "admin", "bastion", "SSH, on the way to the machines")
    source: Source = "bastion" if access == "bastion" else "admin"
    yield _rule("tcp", SSH, source, "nodes", "SSH")
    if balancer:
        yield _rule("tcp", SSH, source, "balancer", "SSH")


def _swarm_rules(data_path_port: int, *, encrypted: bool, flocker: bool) -> Iterator[Rule]:
    yield _rule("tcp", SWARM, "nodes", "manager", "swarm management: joining, and Raft among managers")
    yield _rule("tcp", GOSSIP, "nodes", "nodes", "gossip among nodes")
    yield _rule("udp", GOSSIP, "nodes", "nodes", "gossip among nodes")
    yield _rule("udp", data_path_port, "nodes", "nodes", "VXLAN: traffic of overlay networks")
    if encrypted:
        yield _rule("esp", 0, "nodes", "nodes", "IPsec: traffic of encrypted overlay networks")
    if flocker:
        yield _rule("tcp", FLOCKER_CONTROL, "admin", "manager", "Flocker control service: its users")
        yield _rule("tcp", FLOCKER_AGENT, "nodes", "manager", "Flocker control service: its agents")


def _published_rules(publications: Sequence[Publication], *, balancer: bool) -> Iterator[Rule]:
    for publication in sorted(publications, key=lambda item: (item.protocol, item.port)):
        protocol, port, why = publication.protocol, publication.port, f"published by service {publication.service}"
        if balancer:
            yield _rule(protocol, port, "public", "balancer", why)
        yield _rule(protocol, port, "balancer" if balancer else "public", "nodes", why)


def _rule(protocol: Protocol, port: int, source: Source, target: Target, why: str) -> Rule:
    return Rule(protocol=protocol, first=port, last=port, source=source, target=target, why=why)


def groups_of(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The kinds of machines that rules are about, the nodes always: a cloud has a security group for each."""
    named = {side for rule in rules for side in (rule.source, rule.target)}
    return tuple(sorted({_NODES, *named.difference(_OUTSIDE)}))


def sources_of(rule: Rule, admin_networks: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Whom a rule lets in: a key for each resource that says so, with a CIDR, or None for the group of `rule.source`.
    Who is a group is let in as a group, never by its addresses; `admin_networks` are what the source `admin` means."""
    if rule.source not in _OUTSIDE:
        yield rule.key, None
        return
    for network in admin_networks if rule.source == "admin" else (ANYWHERE,):
        yield f"{rule.key}-{network.replace('/', '-')}", network


def check_data_path_port(port: int, *, field: str = "swarm.data_path_port") -> None:
    """PlanError for a port that swarm would not take, or that other traffic of the nodes uses."""
    if not LOWEST_DATA_PATH <= port <= HIGHEST_DATA_PATH:
        raise PlanError(
            field=field,
            value=port,
            problem="out of the range that swarm takes",
            fix=f"use {LOWEST_DATA_PATH} to {HIGHEST_DATA_PATH}, usually {VXLAN}",
        )
    if port == GOSSIP:
        raise PlanError(field=field, value=port, problem="the port of swarm's gossip", fix=f"use {VXLAN}")


def check_publications(
    publications: Sequence[Publication], *, data_path_port: int = VXLAN, flocker: bool = False
) -> None:
    """PlanError for a published port that another service, or the nodes themselves, already use."""
    reserved = reserved_ports(data_path_port=data_path_port, flocker=flocker)
    taken: dict[tuple[int, str], Publication] = {}
    for publication in publications:
        owner = publication.setting or f"service {publication.service}: published port"
        _check_port(publication.port, field=owner)
        place = (publication.port, publication.protocol)
        if place in reserved:
            raise PlanError(
                field=owner,
                value=publication,
                problem=f"nodes use it for {reserved[place]}",
                fix="publish another port, such as 8080",
            )
        if place in taken:
            raise PlanError(
                field=owner,
                value=publication,
                problem=f"service {taken[place].service} publishes it already",
                fix="publish another port with one of the two",
            )
        taken[place] = publication


def reserved_ports(*, data_path_port: int = VXLAN, flocker: bool = False) -> dict[tuple[int, str], str]:
    """Ports of the nodes that no service may publish, with what they are for."""
    reserved = {
        (SSH, "tcp"): "SSH",
        **{(port, "tcp"): "the Docker API" for port in DOCKER},
        (SWARM, "tcp"): "swarm management",
        (GOSSIP, "tcp"): "swarm's gossip",
        (GOSSIP, "udp"): "swarm's gossip",
        (data_path_port, "udp"): "overlay traffic",
    }
    if flocker:
        reserved |= {(port, "tcp"): "Flocker" for port in (FLOCKER_CONTROL, FLOCKER_AGENT)}
    return reserved


@dataclass(frozen=True, kw_only=True)
class HostPort:
    """A TCP port on the user's own computer; `owner` is the setting or the machine that asks for it."""

    owner: str
    port: int
    address: str = "127.0.0.1"

    def collides(self, other: "HostPort") -> bool:
        """Whether both cannot listen at once: the same port on one address, or on all."""
        same = self.address == other.address or self.address in _EVERYWHERE or other.address in _EVERYWHERE
        return self.port == other.port and same


def check_host_ports(ports: Sequence[HostPort]) -> None:
    """PlanError when two things want the same port of the user's computer."""
    for port in ports:
        _check_port(port.port, field=port.owner)
    for one, other in combinations(ports, 2):
        if one.collides(other):
            raise PlanError(
                field=other.owner,
                value=other.port,
                problem=f"{one.owner} has this port on {one.address or 'all addresses'} already",
                fix="use another port for one of the two",
            )


def _check_port(port: int, *, field: str) -> None:
    if not 1 <= port <= HIGHEST:
        raise PlanError(field=field, value=port, problem="no port", fix=f"use 1 to {HIGHEST}")
