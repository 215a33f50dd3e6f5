"""A service's inputs in the Engine API's form, as `POST /services/create` takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hermetic.providers.check import Values
from hermetic.providers.docker.container_spec import pairs
from hermetic.providers.docker.pieces import given, label_map, length, mount_spec


def service_spec(planned: Values) -> dict[str, Any]:
    """The whole ServiceSpec: an update replaces all of it."""
    return given(
        Name=planned["name"],
        Labels=label_map(planned["labels"]),
        TaskTemplate=_task_template(planned["taskSpec"]),
        Mode=_mode(planned["mode"]),
        UpdateConfig=_rollout(planned["updateConfig"]),
        RollbackConfig=_rollout(planned["rollbackConfig"]),
        EndpointSpec=_endpoint(planned["endpointSpec"]),
    )


def _mode(mode: Mapping[str, Any] | None) -> dict[str, Any]:
    if mode and mode.get("global"):
        return {"Global": {}}
    replicated = (mode or {}).get("replicated") or {}
    replicas = replicated.get("replicas")
    return {"Replicated": {"Replicas": 1 if replicas is None else replicas}}


def _rollout(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not config:
        return None
    return given(
        Parallelism=config.get("parallelism"),
        Delay=length(config.get("delay")),
        FailureAction=config.get("failureAction"),
        Monitor=length(config.get("monitor")),
        MaxFailureRatio=float(config.get("maxFailureRatio") or 0),
        Order=config.get("order"),
    )


def _endpoint(endpoint: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not endpoint:
        return None
    ports = [
        given(
            Name=port.get("name") or None,
            Protocol=port.get("protocol"),
            TargetPort=port["targetPort"],
            PublishedPort=port.get("publishedPort") or None,
            PublishMode=port.get("publishMode"),
        )
        for port in endpoint.get("ports") or []
    ]
    return given(Mode=endpoint.get("mode") or None, Ports=ports or None)


def _task_template(task: Mapping[str, Any]) -> dict[str, Any]:
    log, networks = task["logDriver"], task["networksAdvanceds"]
    return given(
        ContainerSpec=_container(task["containerSpec"]),
        Resources=_resources(task["resources"]),
        RestartPolicy=_restart(task["restartPolicy"]),
        Placement=_placement(task["placement"]),
        ForceUpdate=task["forceUpdate"] or 0,
        Runtime=task["runtime"] or None,
        LogDriver=given(Name=log["name"], Options=log.get("options")) if log else None,
        Networks=[
            given(
                Target=network.get("id") or network.get("name"),
                Aliases=network.get("aliases") or None,
                DriverOpts=pairs(network.get("driverOpts")) or None,
            )
            for network in networks
        ]
        or None,
    )


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    environment = container["env"] or {}
    return given(
        Image=container["image"],
        Labels=label_map(container["labels"]) or None,
        Command=container["commands"],
        Args=container["args"],
        Hostname=container["hostname"] or None,
        Env=[f"{name}={environment[name]}" for name in sorted(environment)] or None,
        Dir=container["dir"] or None,
        User=container["user"] or None,
        Groups=container["groups"],
        Privileges=_privileges(container["privileges"]),
        ReadOnly=container["readOnly"],
        Init=container["init"],
        Mounts=[mount_spec(mount) for mount in container["mounts"]] or None,
        StopSignal=container["stopSignal"] or None,
        StopGracePeriod=length(container["stopGracePeriod"]) or 0,  # the plugin sends 0 for none: killed at once
        Healthcheck=_healthcheck(container["healthcheck"]),
        Hosts=[f"{host['ip']} {host['host']}" for host in container["hosts"]] or None,
        DNSConfig=_resolver(container["dnsConfig"]),
        Secrets=_files(container["secrets"], "secret"),
        Configs=_files(container["configs"], "config"),
        Isolation=container["isolation"] or None,
        Sysctls=container["sysctl"],
        CapabilityAdd=container["capAdds"],
        CapabilityDrop=container["capDrops"],
    )


def _privileges(privileges: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not privileges:
        return None
    credentials, context = privileges.get("credentialSpec"), privileges.get("seLinuxContext")
    return given(
        CredentialSpec=given(File=credentials.get("file"), Registry=credentials.get("registry"))
        if credentials
        else None,
        SELinuxContext=given(
            Disable=context.get("disable"),
            User=context.get("user"),
            Role=context.get("role"),
            Type=context.get("type"),
            Level=context.get("level"),
        )
        if context
        else None,
    )


def _healthcheck(check: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not check or not check.get("tests"):
        return None
    return given(
        Test=check["tests"],
        Interval=length(check.get("interval")),
        Timeout=length(check.get("timeout")),
        StartPeriod=length(check.get("startPeriod")),
        Retries=check.get("retries"),
    )


def _resolver(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not config:
        return None
    resolver = given(
        Nameservers=config.get("nameservers") or None,
        Search=config.get("searches") or None,
        Options=config.get("options") or None,
    )
    return resolver or None


def _files(files: Sequence[Mapping[str, Any]], kind: str) -> list[dict[str, Any]] | None:
    """References to secrets or configs, each with the file that a task sees."""
    word = kind.capitalize()
    return [
        {
            f"{word}ID": file[f"{kind}Id"],
            f"{word}Name": file.get(f"{kind}Name") or "",
            "File": {
                "Name": file["fileName"],
                "UID": file["fileUid"],
                "GID": file["fileGid"],
                "Mode": file["fileMode"],
            },
        }
        for file in files
    ] or None


def _resources(resources: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not resources:
        return None
    limits, reservation = resources.get("limits"), resources.get("reservation")
    amounts = given(
        Limits=_amounts(limits) if limits else None,
        Reservations=_amounts(reservation) | _generic(reservation.get("genericResources")) if reservation else None,
    )
    return amounts or None


def _amounts(amounts: Mapping[str, Any]) -> dict[str, Any]:
    return given(NanoCPUs=amounts.get("nanoCpus"), MemoryBytes=amounts.get("memoryBytes"))


def _generic(generic: Mapping[str, Any] | None) -> dict[str, Any]:
    if not generic:
        return {}
    named = pairs(generic.get("namedResourcesSpecs"))
    discrete = pairs(generic.get("discreteResourcesSpecs"))
    return {
        "GenericResources": [
            *({"NamedResourceSpec": {"Kind": kind, "Value": value}} for kind, value in named.items()),
            *({"DiscreteResourceSpec": {"Kind": kind, "Value": int(value)}} for kind, value in discrete.items()),
        ]
    }


def _restart(policy: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not policy:
        return None
    return given(
        Condition=policy.get("condition") or None,
        Delay=_restart_duration(policy.get("delay")),
        MaxAttempts=policy.get("maxAttempts"),
        Window=_restart_duration(policy.get("window")),
    )


def _restart_duration(text: str | None) -> int | None:
    """The plugin sends 0 for what a policy does not say; an empty text is a policy of the swarm's own, left to it."""
    return 0 if text is None else length(text)


def _placement(placement: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not placement:
        return None
    # The plugin hands a preference on as it is: a word before the descriptor would make the swarm pass it over.
    descriptors = placement.get("prefs") or []
    placed = given(
        Constraints=placement.get("constraints") or None,
        Preferences=[{"Spread": {"SpreadDescriptor": descriptor}} for descriptor in descriptors] or None,
        MaxReplicas=placement.get("maxReplicas") or None,
        Platforms=[
            {"Architecture": platform["architecture"], "OS": platform["os"]}
            for platform in placement.get("platforms") or []
        ]
        or None,
    )
    return placed or None
