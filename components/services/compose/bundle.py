"""Distributed Application Bundles (M74): the JSON that `docker-compose bundle` wrote and `docker deploy` read, an
experiment of Docker 1.12. A bundle names images by digest and says little else."""

import json
from collections.abc import Mapping
from typing import Any, Final

from components.services.compose import values
from components.services.compose.keys import Key, Table
from components.services.compose.model import (
    DEFAULT_NETWORK,
    ComposeError,
    ComposeFile,
    ComposeNetwork,
    ComposeService,
    Port,
    PortProtocol,
    Reading,
)
from components.services.compose.ports import check_port
from components.services.compose.section import Findings, Section
from components.services.compose.values import secretive


def _table(names: str) -> Table:
    return {name: Key(name=name, verdict="supported") for name in names.split()}


_BUNDLE: Final = _table("Services Version")
_SERVICE: Final = _table("Args Command Env Image Labels Networks Ports User WorkingDir")
_PORT: Final = _table("Port Protocol")


def read_bundle(text: str) -> Reading:
    """A bundle of version 0.1; ComposeError with all that is in the way."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ComposeError(f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ComposeError("no bundle: write an object with Version and Services")
    findings = Findings()
    bundle = Section("", found, _BUNDLE, findings)
    version = bundle.optional("Version", values.text)
    if version != "0.1":
        bundle.fault("Version", version, "no version of a bundle that is read here", "use 0.1")
    services: dict[str, ComposeService] = {}
    for name, value in (bundle.optional("Services", values.mapping) or {}).items():
        where = f"Services.{name}"
        read = bundle.caught(lambda where=where, value=value: _service(where, value, findings))
        if read is not None:
            services[name] = read
    if not services and not findings.faults:
        bundle.fault("Services", None, "a stack has at least one", "name one")
    if findings.faults:
        raise ComposeError("\n".join(findings.faults))
    return Reading(file=_file(services), notes=tuple(findings.notes))


def _file(services: Mapping[str, ComposeService]) -> ComposeFile:
    networks = {name: ComposeNetwork() for service in services.values() for name in service.networks}
    return ComposeFile(services=services, networks=networks)


def _service(where: str, value: Any, findings: Findings) -> ComposeService:
    section = Section(where, values.mapping(value, where), _SERVICE, findings)
    service = ComposeService(
        image=section.caught(lambda: section.required("Image", values.text)) or "",
        entrypoint=section.optional("Command", values.texts) or (),
        command=section.optional("Args", values.texts) or (),
        environment=section.optional("Env", values.pairs) or {},
        labels=section.optional("Labels", values.labels) or {},
        networks=dict.fromkeys(section.optional("Networks", values.texts) or (DEFAULT_NETWORK,), ()),
        ports=section.optional("Ports", lambda value, _: _ports(section, value)) or (),
        user=section.optional("User", values.text) or "",
        working_dir=section.optional("WorkingDir", values.text) or "",
    )
    section.done()
    for name in secretive(service.environment):
        findings.note(f"{where}.Env", name, f"looks like a secret; a Compose file can say it as one, with {name}_FILE")
    return service


def _ports(section: Section, value: Any) -> tuple[Port, ...]:
    ports: list[Port] = []
    for item in values.sequence(value, section.where("Ports")):
        port = section.inner("Ports", item, _PORT)
        target = port.required("Port", values.integer)
        check_port(target, target, port.where("Port"))
        ports.append(Port(target=target, protocol=port.optional("Protocol", values.choice(PortProtocol)) or "tcp"))
        port.done()
    return tuple(ports)
