"""From the text of a Compose file to typed values: nothing is passed over in silence. What a swarm does otherwise is a
note, what it cannot do is refused, and the refusals of a whole file come at once."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from components.plan.errors import PlanError
from components.services.compose import document, values
from components.services.compose.keys import CONTENT, NETWORK, TOP, VOLUME
from components.services.compose.model import (
    DEFAULT_NETWORK,
    ComposeContent,
    ComposeError,
    ComposeFile,
    ComposeNetwork,
    ComposeService,
    ComposeVolume,
    Reading,
)
from components.services.compose.names import MTU_OPTION
from components.services.compose.section import Findings, Section
from components.services.compose.service import read_service

Item = TypeVar("Item")

_VERSION = re.compile(r"[23](?:\.[0-9]+)?")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)


def read_compose(
    text: str, *, files: Mapping[str, str] | None = None, variables: Mapping[str, str] | None = None
) -> Reading:
    """A Compose file of version 2, 3 or today's specification; ComposeError with all that is in the way.

    `files` are the contents of the files named under `env_file`, by path as written; `variables` fill `${NAME}` in.
    """
    found = document.load(text)
    try:
        filled = document.interpolate(found, variables or {})
    except PlanError as error:
        raise ComposeError(str(error)) from None
    findings = Findings()
    file = _Reader(findings, files or {}).read(filled)
    if findings.faults:
        raise ComposeError("\n".join(findings.faults))
    return Reading(file=file, notes=tuple(findings.notes))


def files_named(text: str) -> tuple[str, ...]:
    """Paths of the files that a Compose file names, as written: its contents of secrets and configs, and `env_file`."""
    found = document.load(text)
    paths: list[str] = []
    for service in _mappings(found.get("services")):
        listed = service.get("env_file")
        paths += [path for path in (listed if isinstance(listed, list) else [listed]) if isinstance(path, str)]
    for kind in ("secrets", "configs"):
        paths += [item["file"] for item in _mappings(found.get(kind)) if isinstance(item.get("file"), str)]
    return tuple(dict.fromkeys(paths))


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield from (item for item in value.values() if isinstance(item, dict))


class _Reader:
    """Reads one file, and keeps what it found out."""

    def __init__(self, findings: Findings, files: Mapping[str, str]) -> None:
        self._findings = findings
        self._files = files

    def read(self, found: dict[str, Any]) -> ComposeFile:
        top = Section("", found, TOP, self._findings)
        top.optional("version", _version)
        networks = self._each(top, "networks", self._network)
        file = ComposeFile(
            services=self._each(top, "services", self._service),
            networks=networks,
            volumes=self._each(top, "volumes", self._volume),
            secrets=self._each(top, "secrets", self._content),
            configs=self._each(top, "configs", self._content),
        )
        top.done()
        if not file.services and not self._findings.faults:
            top.fault("services", None, "a stack has at least one", "name one; a file of version 1 has no such key")
        file = _with_default_network(file)
        for where, name, section in _undeclared(file):
            top.fault(where, name, "the file declares no such thing", f"name it under {section}")
        return file

    def _each(self, top: Section, key: str, read: Callable[[str, Any], Item]) -> dict[str, Item]:
        items: dict[str, Item] = {}
        for name, value in (top.optional(key, values.mapping) or {}).items():
            item = top.caught(lambda name=name, value=value: read(f"{key}.{_checked(name, key)}", value))
            if item is not None:
                items[name] = item
        return items

    def _service(self, where: str, value: Any) -> ComposeService:
        return read_service(where, value, self._files, self._findings)

    def _network(self, where: str, value: Any) -> ComposeNetwork:
        section = Section(where, value, NETWORK, self._findings)
        name, external = _external(section, where)
        section.optional("driver", _only("overlay", "a network of a swarm is an overlay"))
        options = section.optional("driver_opts", values.labels) or {}
        for option in sorted(options.keys() - {"encrypted", MTU_OPTION}):
            section.fault(
                "driver_opts", option, "an overlay of Flotilla has no such option", f"use encrypted or {MTU_OPTION}"
            )
        network = ComposeNetwork(
            name=name,
            external=external,
            attachable=section.optional("attachable", values.boolean) or False,
            internal=section.optional("internal", values.boolean) or False,
            encrypted="encrypted" in options and options["encrypted"] != "false",
            mtu=values.integer(options[MTU_OPTION], section.where("driver_opts")) if MTU_OPTION in options else None,
            labels=section.optional("labels", values.labels) or {},
        )
        section.done()
        return network

    def _volume(self, where: str, value: Any) -> ComposeVolume:
        section = Section(where, value, VOLUME, self._findings)
        name, external = _external(section, where)
        section.optional("driver", _only("local", "Docker on the nodes has no other driver"))
        volume = ComposeVolume(
            name=name,
            external=external,
            driver_options=section.optional("driver_opts", values.labels) or {},
            labels=section.optional("labels", values.labels) or {},
        )
        section.done()
        return volume

    def _content(self, where: str, value: Any) -> ComposeContent:
        section = Section(where, value, CONTENT, self._findings)
        name, external = _external(section, where)
        file = section.optional("file", values.text) or ""
        content = section.optional("content", values.text)
        section.done()
        if content is not None and where.startswith("secrets."):
            content = None
            section.fault("content", "(not shown)", "a secret that anyone reads who reads the file", "use file")
        elif sum((external, bool(file), content is not None)) != 1:
            sources = "file or external" if where.startswith("secrets.") else "file, content or external"
            raise PlanError(field=where, value=None, problem="not one source for its content", fix=f"say {sources}")
        if name and not external:
            raise PlanError(
                field=f"{where}.name",
                value=name,
                problem="its name changes with its content, so that a change reaches the tasks",
                fix="leave it out",
            )
        return ComposeContent(name=name, external=external, file=file, content=content)


def _version(value: Any, field: str) -> str:
    version = values.text(value, field)
    if not _VERSION.fullmatch(version):
        raise PlanError(field=field, value=version, problem="not a version that is read here", fix="use 3.8, or none")
    return version


def _checked(name: str, kind: str) -> str:
    if not _NAME.fullmatch(name):
        raise PlanError(
            field=kind, value=name, problem="no usable name", fix="use letters, digits and . _ - in between"
        )
    return name


def _external(section: Section, where: str) -> tuple[str, bool]:
    """The fixed name and whether the thing is external; version 2 wrote `external: {name: …}`."""

    def read(value: Any, field: str) -> tuple[str, bool]:
        if isinstance(value, dict):
            return values.text(values.mapping(value, field).get("name", ""), f"{field}.name"), True
        return "", values.boolean(value, field)

    older, external = section.optional("external", read) or ("", False)
    name = section.optional("name", values.text) or older
    # An external thing without a name is called as its key.
    return name or (where.partition(".")[2] if external else ""), external


def _only(word: str, problem: str) -> Callable[[Any, str], str]:
    def read(value: Any, field: str) -> str:
        if value not in (word, "default"):
            raise PlanError(field=field, value=value, problem=problem, fix=f"use {word}, or leave it out")
        return word

    return read


def _with_default_network(file: ComposeFile) -> ComposeFile:
    used = any(DEFAULT_NETWORK in service.networks for service in file.services.values())
    if not used or DEFAULT_NETWORK in file.networks:
        return file
    return replace(file, networks={**file.networks, DEFAULT_NETWORK: ComposeNetwork()})


def _undeclared(file: ComposeFile) -> Iterator[tuple[str, str, str]]:
    """What services name and the file does not declare: (field, name, section)."""
    for key, service in file.services.items():
        where = f"services.{key}"
        yield from ((f"{where}.networks", name, "networks") for name in service.networks if name not in file.networks)
        for mount in service.mounts:
            if mount.type == "volume" and mount.source and mount.source not in file.volumes:
                yield f"{where}.volumes", mount.source, "volumes"
        yield from ((f"{where}.secrets", f.source, "secrets") for f in service.secrets if f.source not in file.secrets)
        yield from ((f"{where}.configs", f.source, "configs") for f in service.configs if f.source not in file.configs)
