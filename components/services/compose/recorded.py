"""From services as the engine recorded them (inputs of `docker.Service`) back to a Compose file, so that users can
leave. Secrets and configs become references to those that the swarm has, never their content."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.plan.durations import shortest
from components.services.compose.model import (
    DEFAULT_NETWORK,
    READABLE,
    Check,
    ComposeContent,
    ComposeFile,
    ComposeNetwork,
    ComposeService,
    ComposeVolume,
    FileMount,
    FileReference,
    Logging,
    Port,
    Reading,
    Restart,
    Rollout,
)
from components.services.compose.names import MTU_OPTION, STACK_LABEL

_ENVELOPE = "4dabf18193072939515e22adb298388d"
"""The key by which the engine marks secrets and other values that are not plain."""

_OF_THE_PROGRAM = {"convergeConfig", "platforms", "__defaults"}
"""What has no place in a file: how long the program waits, and what the engine finds out by itself."""

_NOTHING_SAID = (None, "", 0, False, [], {}, "default", "container")
"""Values that a refresh writes for what was not asked for."""


@dataclass
class _Left:
    """A mapping whose entries are taken one by one; what is left at the end is said, not lost."""

    where: str
    values: dict[str, Any]
    notes: list[str] = field(default_factory=list[str])

    def take(self, key: str) -> Any:
        value = self.values.pop(key, None)
        if isinstance(value, Mapping) and _ENVELOPE in value:
            self.notes.append(f"{self.where}.{key}: a secret, left out; give it as a Docker secret")
            return None
        return value

    def inner(self, key: str) -> "_Left":
        return _Left(f"{self.where}.{key}", dict(self.take(key) or {}), self.notes)

    def items(self, key: str) -> Iterator["_Left"]:
        for value in self.take(key) or []:
            yield _Left(f"{self.where}.{key}", dict(value), self.notes)

    def done(self) -> None:
        left = self.values.items()
        said = sorted(key for key, value in left if value not in _NOTHING_SAID and key not in _OF_THE_PROGRAM)
        self.notes += [f"{self.where}.{key}: a Compose file cannot say it; left out" for key in said]


def recorded_file(services: Sequence[Mapping[str, Any]], networks: Mapping[str, Mapping[str, Any]]) -> Reading:
    """The file of these services; `networks` are the inputs of `docker.Network` by id.

    Keys are whole names: `docker stack deploy` puts the new stack's name before them, and lets services find each other
    under their keys as before.
    """
    writer = _Writer(networks)
    found = {service["name"]: writer.service(service) for service in services}
    ordered = dict(sorted(found.items()))
    file = ComposeFile(
        services=ordered,
        networks=dict(sorted(writer.networks.items())),
        volumes=dict(sorted(writer.volumes.items())),
        secrets=dict(sorted(writer.secrets.items())),
        configs=dict(sorted(writer.configs.items())),
    )
    return Reading(file=file, notes=tuple(writer.notes))


class _Writer:
    def __init__(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        self._known = known
        self.networks: dict[str, ComposeNetwork] = {}
        self.volumes: dict[str, ComposeVolume] = {}
        self.secrets: dict[str, ComposeContent] = {}
        self.configs: dict[str, ComposeContent] = {}
        self.notes: list[str] = []

    def service(self, inputs: Mapping[str, Any]) -> ComposeService:
        """The service, and what it uses among the writer's own."""
        whole = _Left(f"services.{inputs['name']}", dict(inputs), self.notes)
        whole.take("name")
        task = whole.inner("taskSpec")
        container, resources, placement = task.inner("containerSpec"), task.inner("resources"), task.inner("placement")
        limits, reservation = resources.inner("limits"), resources.inner("reservation")
        endpoint, mode, resolver = whole.inner("endpointSpec"), whole.inner("mode"), container.inner("dnsConfig")
        service = ComposeService(
            image=container.take("image"),
            entrypoint=_texts(container, "commands"),
            command=_texts(container, "args"),
            environment=_plain_texts(container, "env"),
            labels=_labels(whole),
            container_labels=_labels(container),
            replicas=None if mode.take("global") else int((mode.take("replicated") or {}).get("replicas", 1)),
            constraints=_texts(placement, "constraints"),
            preferences=_texts(placement, "prefs"),
            max_replicas_per_node=int(placement.take("maxReplicas") or 0),
            update=_rollout(whole.inner("updateConfig")),
            rollback=_rollout(whole.inner("rollbackConfig")),
            restart=_restart(task.inner("restartPolicy")),
            memory=_whole(limits, "memoryBytes"),
            cpus=_cpus(limits),
            reserved_memory=_whole(reservation, "memoryBytes") or 0,
            reserved_cpus=_cpus(reservation) or 0.0,
            endpoint_mode=endpoint.take("mode"),
            ports=tuple(_port(port) for port in endpoint.items("ports")),
            networks=self._attachments(task),
            mounts=tuple(self._mount(mount) for mount in container.items("mounts")),
            secrets=tuple(self._reference(file, "secret", self.secrets) for file in container.items("secrets")),
            configs=tuple(self._reference(file, "config", self.configs) for file in container.items("configs")),
            healthcheck=_healthcheck(container.inner("healthcheck")),
            stop_grace_period=_duration(container, "stopGracePeriod"),
            stop_signal=container.take("stopSignal") or "",
            hostname=container.take("hostname") or "",
            user=container.take("user") or "",
            groups=_texts(container, "groups"),
            working_dir=container.take("dir") or "",
            init=bool(container.take("init")),
            read_only=bool(container.take("readOnly")),
            cap_add=_texts(container, "capAdds"),
            cap_drop=_texts(container, "capDrops"),
            sysctls=_plain_texts(container, "sysctl"),
            hosts=tuple((entry["host"], entry["ip"]) for entry in container.take("hosts") or []),
            dns=_texts(resolver, "nameservers"),
            dns_search=_texts(resolver, "searches"),
            dns_options=_texts(resolver, "options"),
            logging=_logging(task.inner("logDriver")),
        )
        for part in (limits, reservation, resources, placement, mode, resolver, container, endpoint, task, whole):
            part.done()
        return service

    def _attachments(self, task: _Left) -> dict[str, tuple[str, ...]]:
        found = dict(sorted(self._attachment(network) for network in task.items("networksAdvanceds")))
        if found:
            return found
        # In a file, a service without networks is on the default one.
        self.networks[DEFAULT_NETWORK] = ComposeNetwork()
        return {DEFAULT_NETWORK: ()}

    def _attachment(self, network: _Left) -> tuple[str, tuple[str, ...]]:
        identity = network.take("id")
        inputs = self._known.get(identity)
        aliases = _texts(network, "aliases")
        network.done()
        if inputs is None:
            # One that another program made: the swarm knows it by its id alone.
            self.networks[identity] = ComposeNetwork(name=identity, external=True)
            return identity, aliases
        options = inputs.get("options") or {}
        self.networks[inputs["name"]] = ComposeNetwork(
            attachable=bool(inputs.get("attachable")),
            internal=bool(inputs.get("internal")),
            encrypted="encrypted" in options,
            mtu=int(options[MTU_OPTION]) if MTU_OPTION in options else None,
            labels=_without_stack(inputs.get("labels")),
        )
        return inputs["name"], aliases

    def _mount(self, mount: _Left) -> FileMount:
        kind, source = mount.take("type"), mount.take("source") or ""
        volume, memory = mount.inner("volumeOptions"), mount.inner("tmpfsOptions")
        written = FileMount(
            type=kind,
            source=source,
            target=mount.take("target"),
            read_only=bool(mount.take("readOnly")),
            propagation=(mount.take("bindOptions") or {}).get("propagation", ""),
            no_copy=bool(volume.take("noCopy")),
            size=_whole(memory, "sizeBytes"),
            mode=_whole(memory, "mode"),
        )
        volume.take("driverName")
        options, labels = _plain_texts(volume, "driverOptions"), _without_stack(volume.take("labels"))
        if kind == "volume" and source:
            # Under its own name, so that the new stack finds the data of the old one.
            self.volumes[source] = ComposeVolume(name=source, driver_options=options, labels=labels)
        for part in (volume, memory, mount):
            part.done()
        return written

    def _reference(self, file: _Left, kind: str, contents: dict[str, ComposeContent]) -> FileReference:
        name = file.take(f"{kind}Name")
        file.take(f"{kind}Id")
        contents[name] = ComposeContent(name=name, external=True)
        reference = FileReference(
            source=name,
            target=file.take("fileName"),
            mode=READABLE if (mode := _whole(file, "fileMode")) is None else mode,
            uid=_not_root(file.take("fileUid")),
            gid=_not_root(file.take("fileGid")),
        )
        file.done()
        return reference


def _not_root(number: str | None) -> str:
    return "" if number in (None, "0") else number


def _texts(part: _Left, key: str) -> tuple[str, ...]:
    return tuple(part.take(key) or ())


def _plain_texts(part: _Left, key: str) -> dict[str, str]:
    """A mapping of texts; a value that is secret is left out, and said."""
    whole = part.inner(key)
    taken = {name: whole.take(name) for name in list(whole.values)}
    return {name: value for name, value in taken.items() if value is not None}


def _labels(part: _Left) -> dict[str, str]:
    return _without_stack(part.take("labels"))


def _without_stack(labels: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """The labels but for the one that `docker stack deploy` gives itself."""
    return {entry["label"]: entry["value"] for entry in labels or [] if entry["label"] != STACK_LABEL}


def _whole(part: _Left, key: str) -> int | None:
    value = part.take(key)
    return None if value is None else int(value)


def _duration(part: _Left, key: str) -> str | None:
    value = part.take(key)
    return None if value is None else shortest(value, field=f"{part.where}.{key}")


def _cpus(part: _Left) -> float | None:
    nano = _whole(part, "nanoCpus")
    return None if nano is None else nano / 1e9


def _rollout(part: _Left) -> Rollout:
    ratio = part.take("maxFailureRatio")
    rollout = Rollout(
        parallelism=_whole(part, "parallelism"),
        delay=_duration(part, "delay"),
        failure_action=part.take("failureAction"),
        monitor=_duration(part, "monitor"),
        max_failure_ratio=None if ratio is None else float(ratio),
        order=part.take("order"),
    )
    part.done()
    return rollout


def _restart(part: _Left) -> Restart:
    restart = Restart(
        condition=part.take("condition"),
        delay=_duration(part, "delay"),
        max_attempts=_whole(part, "maxAttempts"),
        window=_duration(part, "window"),
    )
    part.done()
    return restart


def _port(port: _Left) -> Port:
    port.take("name")
    written = Port(
        target=int(port.take("targetPort")),
        published=_whole(port, "publishedPort"),
        protocol=port.take("protocol") or "tcp",
        mode=port.take("publishMode") or "ingress",
    )
    port.done()
    return written


def _healthcheck(check: _Left) -> Check | None:
    tests = _texts(check, "tests")
    timed = Check(
        form="NONE",
        interval=_duration(check, "interval"),
        timeout=_duration(check, "timeout"),
        retries=_whole(check, "retries"),
        start_period=_duration(check, "startPeriod"),
    )
    check.done()
    if not tests:
        return None
    if tests[0] == "NONE":
        return Check(form="NONE")
    return Check(
        form="CMD" if tests[0] == "CMD" else "CMD-SHELL",
        test=tests[1:],
        interval=timed.interval,
        timeout=timed.timeout,
        retries=timed.retries,
        start_period=timed.start_period,
    )


def _logging(part: _Left) -> Logging | None:
    driver = part.take("name")
    options = _plain_texts(part, "options")
    part.done()
    return Logging(driver=driver, options=options) if driver else None
