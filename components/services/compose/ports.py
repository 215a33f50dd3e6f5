"""Published ports of a Compose file, short and long form (https://docs.docker.com/reference/compose-file/services/#ports)."""

import re
from collections.abc import Iterator
from typing import Any

from components.plan.errors import PlanError
from components.plan.ports import HIGHEST
from components.services.compose import values
from components.services.compose.keys import PORT
from components.services.compose.model import Port, PortProtocol, PublishMode
from components.services.compose.section import Section

_SHORT = re.compile(
    r"(?:(?P<published>[0-9]+(?:-[0-9]+)?):)?(?P<target>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>[a-z]+))?", re.ASCII
)
_ADDRESS = re.compile(r"(?P<address>[0-9]+(?:\.[0-9]+){3}|\[[^]]*\]):(?P<rest>.+)")


def read_ports(section: Section, value: Any) -> tuple[Port, ...]:
    """All ports; a range is as many."""
    field = section.where("ports")
    ports: list[Port] = []
    for item in values.sequence(value, field):
        ports += [_long(section.inner("ports", item, PORT))] if isinstance(item, dict) else _short(item, field)
    return tuple(ports)


def _long(section: Section) -> Port:
    published = section.optional("published", values.integer)
    port = Port(
        target=section.required("target", values.integer),
        published=published or None,
        protocol=section.optional("protocol", _protocol) or "tcp",
        mode=section.optional("mode", values.choice(PublishMode)) or "ingress",
    )
    for number in (port.target, port.published):
        check_port(number, number, section.field)
    section.done()
    return port


def _short(item: Any, field: str) -> Iterator[Port]:
    written = values.text(item, field)
    if found := _ADDRESS.fullmatch(written):
        raise PlanError(
            field=field,
            value=written,
            problem="a swarm publishes on every address of a node",
            fix=f"leave the address out: {found['rest'].lstrip(':')}",
        )
    found = _SHORT.fullmatch(written)
    if found is None:
        raise PlanError(field=field, value=written, problem="no port", fix="write published:target, such as 8080:80")
    protocol = _protocol(found["protocol"] or "tcp", field)
    targets = _range(found["target"], written, field)
    published = _range(found["published"], written, field) if found["published"] else [None] * len(targets)
    if len(published) != len(targets):
        raise PlanError(field=field, value=written, problem="ranges of two lengths", fix="make both equally long")
    for target, outside in zip(targets, published, strict=True):
        yield Port(target=target, published=outside, protocol=protocol)


def _range(written: str, whole: str, field: str) -> list[int]:
    first, _, last = written.partition("-")
    numbers = list(range(int(first), int(last or first) + 1))
    if not numbers:
        raise PlanError(field=field, value=whole, problem="a range that ends before it begins", fix="turn it round")
    check_port(numbers[0], whole, field)
    check_port(numbers[-1], whole, field)
    return numbers


def check_port(number: int | None, written: object, field: str) -> None:
    """PlanError for a number that no port has; none is no port to check."""
    if number is not None and not 1 <= number <= HIGHEST:
        raise PlanError(field=field, value=written, problem="no port", fix=f"use 1 to {HIGHEST}")


_protocol = values.choice(PortProtocol)
