"""From typed values to a file that `docker stack deploy` takes (Compose file format 3.8), and that this project reads
back as the same values: the way to leave, and the proof that the way in lost nothing."""

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from components.plan.sizes import format_size
from components.services.compose import document
from components.services.compose.model import (
    Check,
    ComposeContent,
    ComposeFile,
    ComposeNetwork,
    ComposeService,
    ComposeVolume,
    FileMount,
    FileReference,
    Port,
)
from components.services.compose.names import MTU_OPTION

VERSION = "3.8"


def write_compose(file: ComposeFile) -> str:
    """The file's text."""
    return document.dump(
        _said(
            version=VERSION,
            services={name: _service(service) for name, service in file.services.items()},
            networks={name: _network(network) for name, network in file.networks.items()},
            volumes={name: _volume(volume) for name, volume in file.volumes.items()},
            secrets={name: _content(content) for name, content in file.secrets.items()},
            configs={name: _content(content) for name, content in file.configs.items()},
        )
    )


def _said(**values: Any) -> dict[str, Any]:
    """What is said: neither None nor empty. False and 0 say something."""
    return {key: value for key, value in values.items() if value is not None and value not in ("", [], {}, ())}


def _service(service: ComposeService) -> dict[str, Any]:
    return _said(
        image=service.image,
        entrypoint=list(service.entrypoint),
        command=list(service.command),
        environment=dict(service.environment),
        labels=dict(service.container_labels),
        hostname=service.hostname,
        user=service.user,
        group_add=list(service.groups),
        working_dir=service.working_dir,
        init=service.init or None,
        read_only=service.read_only or None,
        platform=service.platform,
        cap_add=list(service.cap_add),
        cap_drop=list(service.cap_drop),
        sysctls=dict(service.sysctls),
        extra_hosts=[f"{name}:{address}" for name, address in service.hosts],
        dns=list(service.dns),
        dns_search=list(service.dns_search),
        dns_opt=list(service.dns_options),
        stop_signal=service.stop_signal,
        stop_grace_period=service.stop_grace_period,
        healthcheck=_healthcheck(service.healthcheck),
        ports=[_port(port) for port in service.ports],
        networks={name: {"aliases": list(aliases)} if aliases else None for name, aliases in service.networks.items()},
        volumes=[_mount(mount) for mount in service.mounts],
        secrets=[_reference(reference) for reference in service.secrets],
        configs=[_reference(reference) for reference in service.configs],
        logging=_said(driver=service.logging.driver, options=dict(service.logging.options))
        if service.logging
        else None,
        deploy=_deploy(service),
    )


def _deploy(service: ComposeService) -> dict[str, Any]:
    return _said(
        mode="global" if service.replicas is None else None,
        replicas=service.replicas,
        endpoint_mode=service.endpoint_mode,
        labels=dict(service.labels),
        placement=_said(
            constraints=list(service.constraints),
            preferences=[{"spread": descriptor} for descriptor in service.preferences],
            max_replicas_per_node=service.max_replicas_per_node or None,
        ),
        resources=_said(
            limits=_amounts(service.memory, service.cpus),
            reservations=_amounts(service.reserved_memory or None, service.reserved_cpus or None),
        ),
        restart_policy=_plain(service.restart),
        update_config=_plain(service.update),
        rollback_config=_plain(service.rollback),
    )


def _plain(value: Any) -> dict[str, Any]:
    """A group of single values under their own names."""
    return _said(**{field.name: getattr(value, field.name) for field in fields(value)})


def _amounts(memory: int | None, cpus: float | None) -> dict[str, Any]:
    return _said(
        cpus=None if cpus is None else format(Decimal(repr(cpus)), "f"),
        memory=None if memory is None else format_size(memory),
    )


def _healthcheck(check: Check | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return _said(
        test=[check.form, *check.test],
        interval=check.interval,
        timeout=check.timeout,
        retries=check.retries,
        start_period=check.start_period,
    )


def _port(port: Port) -> dict[str, Any]:
    return _said(target=port.target, published=port.published, protocol=port.protocol, mode=port.mode)


def _mount(mount: FileMount) -> dict[str, Any]:
    return _said(
        type=mount.type,
        source=mount.source,
        target=mount.target,
        read_only=mount.read_only or None,
        bind=_said(propagation=mount.propagation),
        volume=_said(nocopy=mount.no_copy or None),
        tmpfs=_said(size=mount.size, mode=None if mount.mode is None else document.Octal(mount.mode)),
    )


def _reference(reference: FileReference) -> dict[str, Any]:
    return _said(
        source=reference.source,
        target=reference.target,
        mode=document.Octal(reference.mode),
        uid=reference.uid,
        gid=reference.gid,
    )


def _network(network: ComposeNetwork) -> dict[str, Any]:
    return _said(
        name=network.name,
        external=network.external or None,
        driver=None if network.external else "overlay",
        driver_opts=_network_options(network),
        attachable=network.attachable or None,
        internal=network.internal or None,
        labels=dict(network.labels),
    )


def _network_options(network: ComposeNetwork) -> dict[str, str]:
    options = {} if network.mtu is None else {MTU_OPTION: str(network.mtu)}
    return {**options, "encrypted": ""} if network.encrypted else options


def _volume(volume: ComposeVolume) -> dict[str, Any] | None:
    said: Mapping[str, Any] = _said(
        name=volume.name,
        external=volume.external or None,
        driver="local" if volume.driver_options else None,
        driver_opts=dict(volume.driver_options),
        labels=dict(volume.labels),
    )
    return dict(said) or None


def _content(content: ComposeContent) -> dict[str, Any]:
    said = _said(name=content.name, external=content.external or None, file=content.file)
    return said if content.content is None else {**said, "content": content.content}


def deployable(file: ComposeFile) -> tuple[ComposeFile, tuple[str, ...]]:
    """The file without what `docker stack deploy` does not take, and a line for each thing that was left out.

    Tried with Docker 28.2: it refuses some keys of today's specification, and passes over the mode of a tmpfs.
    """
    lost: list[str] = []

    def without(where: str, value: Any, why: str) -> None:
        if value:
            lost.append(f"{where}: {why}")

    for name, service in file.services.items():
        where = f"services.{name}"
        without(f"{where}.group_add", service.groups, "format 3.8 has no such key; add the groups to the image's user")
        without(f"{where}.dns_opt", service.dns_options, "format 3.8 has no such key; set them as the nodes' own")
        without(f"{where}.platform", service.platform, "format 3.8 has no such key; the image's registry says it")
        without(
            f"{where}.volumes",
            any(mount.mode is not None for mount in service.mounts),
            "`docker stack deploy` passes over the mode of a tmpfs; set it in the image's entrypoint",
        )
    for name, config in file.configs.items():
        without(f"configs.{name}.content", config.content is not None, "format 3.8 has no such key; put it in a file")
    services = {
        name: replace(
            service,
            groups=(),
            dns_options=(),
            platform="",
            mounts=tuple(replace(mount, mode=None) for mount in service.mounts),
        )
        for name, service in file.services.items()
    }
    configs = {
        name: config if config.content is None else ComposeContent(file=f"./{name}")
        for name, config in file.configs.items()
    }
    return replace(file, services=services, configs=configs), tuple(lost)
