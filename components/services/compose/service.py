"""One service of a Compose file, as typed values."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from components.plan.errors import PlanError
from components.plan.placement import check_constraint, check_cpus, check_memory
from components.services.compose import keys, values
from components.services.compose.model import (
    DEFAULT_NETWORK,
    READABLE,
    SECRETS_FOLDER,
    Check,
    CheckForm,
    ComposeService,
    Condition,
    EndpointMode,
    FileReference,
    Logging,
    Mode,
    Order,
    Restart,
    RollbackAction,
    Rollout,
    UpdateAction,
)
from components.services.compose.mounts import read_mounts, read_tmpfs
from components.services.compose.ports import read_ports
from components.services.compose.section import Findings, Section, shown

_DISABLED = Check(form="NONE")
_RESTARTS: Mapping[str, Condition] = {
    "no": "none",
    "always": "any",
    "unless-stopped": "any",
    "on-failure": "on-failure",
}


def read_service(where: str, value: Any, files: Mapping[str, str], findings: Findings) -> ComposeService:
    """The service at `where`; what is in its way is among the findings. PlanError where there is no service at all."""
    section = Section(where, values.mapping(value, where), keys.SERVICE, findings)
    deploy = section.section("deploy", keys.DEPLOY)
    placement = deploy.section("placement", keys.PLACEMENT)
    resources = deploy.section("resources", keys.RESOURCES)
    limits = resources.section("limits", keys.LIMITS)
    reservations = resources.section("reservations", keys.RESERVATIONS)
    _check_links(section, value)
    service = ComposeService(
        image=_image(section),
        entrypoint=section.optional("entrypoint", values.words) or (),
        command=section.optional("command", values.words) or (),
        environment=_environment(section, files),
        labels=deploy.optional("labels", values.labels) or {},
        container_labels=section.optional("labels", values.labels) or {},
        replicas=_replicas(section, deploy),
        constraints=placement.optional("constraints", _constraints) or (),
        preferences=placement.optional("preferences", _preferences) or (),
        max_replicas_per_node=placement.optional("max_replicas_per_node", values.integer) or 0,
        update=_rollout(deploy, "update_config"),
        rollback=_rollout(deploy, "rollback_config"),
        restart=_restart(section, deploy),
        memory=_memory(limits, section, "mem_limit"),
        cpus=_cpus(limits, section, "cpus"),
        reserved_memory=_memory(reservations, section, "mem_reservation") or 0,
        reserved_cpus=_cpus(reservations) or 0.0,
        endpoint_mode=deploy.optional("endpoint_mode", values.choice(EndpointMode)),
        ports=section.optional("ports", lambda value, _: read_ports(section, value)) or (),
        networks=section.optional("networks", lambda value, field: _networks(section, value, field))
        or {DEFAULT_NETWORK: ()},
        mounts=(
            *(section.optional("volumes", lambda value, _: read_mounts(section, value)) or ()),
            *(section.optional("tmpfs", lambda value, field: tuple(read_tmpfs(value, field))) or ()),
        ),
        secrets=section.optional("secrets", lambda value, _: _files(section, "secrets", value, SECRETS_FOLDER)) or (),
        configs=section.optional("configs", lambda value, _: _files(section, "configs", value, "")) or (),
        healthcheck=_healthcheck(section),
        stop_grace_period=section.optional("stop_grace_period", values.duration),
        stop_signal=section.optional("stop_signal", values.text) or "",
        hostname=section.optional("hostname", values.text) or "",
        user=section.optional("user", values.text) or "",
        groups=section.optional("group_add", values.texts) or (),
        working_dir=section.optional("working_dir", values.text) or "",
        init=section.optional("init", values.boolean) or False,
        read_only=section.optional("read_only", values.boolean) or False,
        cap_add=section.optional("cap_add", _capabilities) or (),
        cap_drop=section.optional("cap_drop", _capabilities) or (),
        sysctls=section.optional("sysctls", values.pairs) or {},
        hosts=section.optional("extra_hosts", values.hosts) or (),
        dns=section.optional("dns", values.text_or_texts) or (),
        dns_search=section.optional("dns_search", values.text_or_texts) or (),
        dns_options=section.optional("dns_opt", values.texts) or (),
        logging=_logging(section),
        platform=section.optional("platform", _platform) or "",
    )
    for part in (limits, reservations, resources, placement, deploy, section):
        part.done()
    _report_secretive(service, where, findings)
    return service


def _check_links(section: Section, value: Any) -> None:
    """A link that gives another name is more than a link: without it the name would not be found."""
    links = value.get("links") if isinstance(value, dict) else None
    for link in links if isinstance(links, list) else []:
        service, _, alias = str(link).partition(":")
        if alias not in ("", service):
            section.fault("links", link, "a swarm has no links", f"say {alias} under aliases of a network of {service}")


def _image(section: Section) -> str:
    image = section.optional("image", values.text)
    if not image:
        section.fault("image", None, "missing: a swarm runs images and builds none", "push the image and name it")
    return image or ""


def _environment(section: Section, files: Mapping[str, str]) -> dict[str, str]:
    def of_files(value: Any, field: str) -> dict[str, str]:
        merged: dict[str, str] = {}
        for path in values.text_or_texts(value, field):
            if path not in files:
                raise PlanError(
                    field=field, value=path, problem="not there", fix="name a file, relative to the Compose file"
                )
            merged |= values.environment_file(files[path], f"{field} {path}")
        return merged

    own = section.optional("environment", values.pairs) or {}
    return {**(section.optional("env_file", of_files) or {}), **own}


def _replicas(section: Section, deploy: Section) -> int | None:
    mode = deploy.optional("mode", values.choice(Mode))
    scale = section.optional("scale", values.integer)
    replicas = deploy.optional("replicas", values.integer)
    if mode == "global":
        if replicas is not None or scale is not None:
            deploy.fault(
                "replicas",
                replicas if replicas is not None else scale,
                "mode is global: one task a node",
                "leave it out",
            )
        return None
    if replicas is not None and scale is not None and replicas != scale:
        section.fault("scale", scale, f"deploy.replicas is {replicas}", "say one of them")
    return next((count for count in (replicas, scale) if count is not None), 1)


def _constraints(value: Any, field: str) -> tuple[str, ...]:
    found = values.texts(value, field)
    for constraint in found:
        check_constraint(constraint, field=field)
    return found


def _preferences(value: Any, field: str) -> tuple[str, ...]:
    found: list[str] = []
    for item in values.sequence(value, field):
        spread = values.mapping(item, field)
        if set(spread) != {"spread"}:
            raise PlanError(
                field=field, value=list(spread), problem="a swarm spreads and nothing else", fix="use spread"
            )
        found.append(values.text(spread["spread"], field))
    return tuple(found)


def _rollout(deploy: Section, key: str) -> Rollout:
    section = deploy.section(key, keys.ROLLOUT)
    actions = UpdateAction if key == "update_config" else RollbackAction
    ratio = section.optional("max_failure_ratio", values.number)
    if ratio is not None and (ratio > 1 or round(ratio, 1) != ratio):
        # The provider keeps one decimal, and another would be a change in every preview.
        section.fault("max_failure_ratio", ratio, "not in tenths from 0 to 1", f"use {min(round(ratio, 1), 1.0)}")
    rollout = Rollout(
        parallelism=section.optional("parallelism", values.integer),
        delay=section.optional("delay", values.duration),
        failure_action=section.optional("failure_action", values.choice(actions)),
        monitor=section.optional("monitor", values.duration),
        max_failure_ratio=ratio,
        order=section.optional("order", values.choice(Order)),
    )
    section.done()
    return rollout


def _restart(section: Section, deploy: Section) -> Restart:
    policy = deploy.section("restart_policy", keys.RESTART)
    restart = Restart(
        condition=policy.optional("condition", values.choice(Condition)),
        delay=policy.optional("delay", values.duration),
        max_attempts=policy.optional("max_attempts", values.integer),
        window=policy.optional("window", values.duration),
    )
    policy.done()
    older = section.optional("restart", _older_restart)
    if older is None:
        return restart
    written, condition = older
    note = f"taken as deploy.restart_policy.condition {condition.condition}; say that instead"
    if restart != Restart():
        note = "ignored: deploy.restart_policy is there too; leave it out"
    section.findings.note(section.where("restart"), written, note)
    return condition if restart == Restart() else restart


def _older_restart(value: Any, field: str) -> tuple[str, Restart]:
    # An unquoted `no` is false to some readers of YAML.
    written = "no" if value is False else values.text(value, field)
    word, _, attempts = written.partition(":")
    if word not in _RESTARTS or (attempts and word != "on-failure"):
        raise PlanError(
            field=field, value=value, problem="no restart policy", fix="use deploy.restart_policy.condition"
        )
    most = values.integer(attempts, field) if attempts else None
    return written, Restart(condition=_RESTARTS[word], max_attempts=most)


def _memory(amounts: Section, section: Section, older: str) -> int | None:
    size = amounts.optional("memory", _limit)
    plain = section.optional(older, _limit)
    if size is not None and plain is not None and size != plain:
        section.fault(older, plain, f"{amounts.field}.memory is {size}", "say one of them")
    return plain if size is None else size


def _limit(value: Any, field: str) -> int:
    size = values.size(value, field)
    check_memory(size, field=field)
    return size


def _cpus(amounts: Section, section: Section | None = None, older: str = "") -> float | None:
    cpus = amounts.optional("cpus", _cpu_limit)
    plain = section.optional(older, _cpu_limit) if section else None
    if section and cpus is not None and plain is not None and cpus != plain:
        section.fault(older, plain, f"{amounts.field}.cpus is {cpus:g}", "say one of them")
    return plain if cpus is None else cpus


def _cpu_limit(value: Any, field: str) -> float:
    cpus = values.number(value, field)
    check_cpus(cpus, field=field)
    return cpus


def _networks(section: Section, value: Any, field: str) -> dict[str, tuple[str, ...]]:
    if isinstance(value, list):
        return dict.fromkeys(values.texts(value, field), ())
    networks: dict[str, tuple[str, ...]] = {}
    for name, item in values.mapping(value, field).items():
        attachment = section.inner(f"networks.{name}", item, keys.ATTACHMENT)
        networks[name] = attachment.optional("aliases", values.texts) or ()
        attachment.done()
    return networks


def _files(section: Section, kind: str, value: Any, folder: str) -> tuple[FileReference, ...]:
    found: list[FileReference] = []
    for item in values.sequence(value, section.where(kind)):
        if not isinstance(item, dict):
            source = values.text(item, section.where(kind))
            found.append(FileReference(source=source, target=f"{folder}/{source}"))
            continue
        long = section.inner(kind, item, keys.FILE_REFERENCE)
        source = long.required("source", values.text)
        target = long.optional("target", values.text) or source
        mode = long.optional("mode", values.integer)
        found.append(
            FileReference(
                source=source,
                target=target if target.startswith("/") else f"{folder}/{target}",
                mode=READABLE if mode is None else mode,
                uid=_not_root(long.optional("uid", values.text)),
                gid=_not_root(long.optional("gid", values.text)),
            )
        )
        long.done()
    return tuple(found)


def _not_root(number: str | None) -> str:
    """Root is the owner where none is said."""
    return "" if number in (None, "0") else number


def _healthcheck(section: Section) -> Check | None:
    check = section.section("healthcheck", keys.HEALTHCHECK)
    disabled = check.optional("disable", values.boolean) or False
    test = check.optional("test", _test)
    timed = Check(
        form="CMD",
        interval=check.optional("interval", values.duration),
        timeout=check.optional("timeout", values.duration),
        retries=check.optional("retries", values.integer),
        start_period=check.optional("start_period", values.duration),
    )
    check.done()
    if disabled or (test and test.form == "NONE"):
        return _DISABLED
    if test is None:
        if timed != Check(form="CMD"):
            section.fault("healthcheck", "without a test", "the image's own cannot be timed alone", "say test")
        return None
    return replace(timed, form=test.form, test=test.test)


def _test(value: Any, field: str) -> Check:
    if isinstance(value, str):
        return Check(form="CMD-SHELL", test=(value,))
    found = values.texts(value, field)
    form, test = values.choice(CheckForm)(found[0] if found else "", field), found[1:]
    if form != "NONE" and not test:
        raise PlanError(field=field, value=form, problem="no command after it", fix="write the command, or NONE")
    if form == "CMD-SHELL" and len(test) > 1:
        raise PlanError(field=field, value=list(found), problem="a shell takes one text", fix="write it as one")
    return Check(form=form, test=test)


def _capabilities(value: Any, field: str) -> tuple[str, ...]:
    """With their prefix, as the swarm writes them; `ALL` has none."""
    names = (name.upper() for name in values.texts(value, field))
    return tuple(name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}" for name in names)


def _logging(section: Section) -> Logging | None:
    logging = section.section("logging", keys.LOGGING)
    driver = logging.optional("driver", values.text)
    options = logging.optional("options", values.labels) or {}
    logging.done()
    if driver is None:
        if options:
            section.fault("logging", "without a driver", "options belong to one", "say driver")
        return None
    return Logging(driver=driver, options=options)


def _platform(value: Any, field: str) -> str:
    platform = values.text(value, field)
    if platform.count("/") != 1:
        raise PlanError(field=field, value=platform, problem="no platform", fix="write linux/amd64 or linux/arm64")
    return platform


def _report_secretive(service: ComposeService, where: str, findings: Findings) -> None:
    for name in values.secretive(service.environment):
        findings.notes.append(
            f"{where}.environment is {shown(name)}: looks like a secret, which everyone reads who reads the stack; "
            f"use secrets and {name}_FILE"
        )
