"""Mounts of a Compose file, short and long form (https://docs.docker.com/reference/compose-file/services/#volumes)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

from components.plan.errors import PlanError
from components.services.compose import values
from components.services.compose.keys import BIND, MOUNT, MOUNTED_VOLUME, TMPFS
from components.services.compose.model import FileMount, MountType, Propagation
from components.services.compose.section import Section


def read_mounts(section: Section, value: Any) -> tuple[FileMount, ...]:
    """All mounts under `volumes`."""
    field = section.where("volumes")
    return tuple(
        _long(section.inner("volumes", item, MOUNT))
        if isinstance(item, dict)
        else _short(values.text(item, field), field)
        for item in values.sequence(value, field)
    )


def read_tmpfs(value: Any, field: str) -> Iterator[FileMount]:
    """Paths under `tmpfs`."""
    for path in values.text_or_texts(value, field):
        if ":" in path:
            raise PlanError(
                field=field,
                value=path,
                problem="a path with options",
                fix="use the long form of volumes: type tmpfs, and tmpfs: {size: …}",
            )
        yield FileMount(type="tmpfs", target=_target(path, field))


def _long(section: Section) -> FileMount:
    kind = section.required("type", values.choice(MountType))
    mount = FileMount(
        type=kind,
        target=section.required("target", _target),
        source=section.optional("source", values.text) or "",
        read_only=section.optional("read_only", values.boolean) or False,
    )
    bind, volume, memory = (
        section.section("bind", BIND),
        section.section("volume", MOUNTED_VOLUME),
        section.section("tmpfs", TMPFS),
    )
    mount = replace(
        mount,
        propagation=bind.optional("propagation", values.choice(Propagation)) or "",
        no_copy=volume.optional("nocopy", values.boolean) or False,
        size=memory.optional("size", values.size),
        mode=memory.optional("mode", values.integer),
    )
    if kind == "bind" and not mount.source:
        raise PlanError(field=section.field, value=mount.target, problem="a bind without a source", fix="say source")
    if kind == "tmpfs" and mount.source:
        raise PlanError(field=section.field, value=mount.source, problem="memory has no source", fix="leave source out")
    for inside in (bind, volume, memory, section):
        inside.done()
    return mount


def _short(written: str, field: str) -> FileMount:
    source, _, rest = written.partition(":")
    if not rest:
        return FileMount(type="volume", target=_target(source, field))
    target, _, options = rest.partition(":")
    kind = "bind" if source.startswith(("/", ".", "~")) else "volume"
    mount = FileMount(type=kind, source=source, target=_target(target, field))
    for option in options.split(",") if options else []:
        mount = _with(mount, option, written, field)
    return mount


def _with(mount: FileMount, option: str, written: str, field: str) -> FileMount:
    if option in ("ro", "rw"):
        return replace(mount, read_only=option == "ro")
    if option == "nocopy" and mount.type == "volume":
        return replace(mount, no_copy=True)
    if option in get_args(Propagation) and mount.type == "bind":
        return replace(mount, propagation=option)
    raise PlanError(field=field, value=written, problem=f"a swarm has no option {option} for it", fix="use ro or rw")


def _target(value: Any, field: str) -> str:
    path = values.text(value, field)
    if not path.startswith("/"):
        raise PlanError(
            field=field, value=path, problem="no absolute path in the container", fix="write one that begins with /"
        )
    return path
