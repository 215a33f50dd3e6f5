"""A service as the swarm has it, in the plugin's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hermetic.providers import durations
from hermetic.providers.check import Values
from hermetic.providers.docker.pieces import label_set, mount_state
from hermetic.providers.plan import in_set_order


def service_state(found: Mapping[str, Any], state: Values) -> Values:
    """What can be read back; credentials and the way of converging are known only from `state`."""
    spec = found["Spec"]
    return {
        "name": spec["Name"],
        "labels": label_set(spec.get("Labels")),
        "taskSpec": _task_state(spec["TaskTemplate"], state.get("taskSpec") or {}),
        "mode": _mode_state(spec["Mode"]),
        "updateConfig": _rollout_state(spec.get("UpdateConfig")),
        "rollbackConfig": _rollout_state(spec.get("RollbackConfig")),
        "endpointSpec": _endpoint_state(found),
    }


def unchanged_parts_kept(found: Mapping[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """A wanted spec with the parts that mean what the service has already in the service's own words.

    To the swarm a default that is written out is another spec: it would restart every task for a new label.
    """
    kept, own = dict(wanted), found["Spec"]
    if _task_state(own["TaskTemplate"], {}) == _task_state(wanted["TaskTemplate"], {}):
        kept["TaskTemplate"] = own["TaskTemplate"]
    if _endpoint_state(found) == _endpoint_state({**found, "Spec": wanted}):
        kept.pop("EndpointSpec", None)
        kept |= {"EndpointSpec": own["EndpointSpec"]} if "EndpointSpec" in own else {}
    return kept


def _mode_state(mode: Mapping[str, Any]) -> Values:
    replicated = mode.get("Replicated")
    return {
        "global": mode.get("Global") is not None,
        "replicated": {"replicas": replicated.get("Replicas", 0)} if replicated else None,
    }


def _rollout_state(config: Mapping[str, Any] | None) -> Values | None:
    if not config:
        return None
    return {
        "parallelism": config.get("Parallelism", 0),
        "delay": durations.shortest(config.get("Delay", 0)),
        "failureAction": config.get("FailureAction", "pause"),
        "monitor": durations.shortest(config.get("Monitor", 0)),
        "maxFailureRatio": f"{config.get('MaxFailureRatio', 0):.1f}",
        "order": config.get("Order", "stop-first"),
    }


def _endpoint_state(found: Mapping[str, Any]) -> Values:
    """The ports asked for, in their order; a published port left to the swarm is read from the endpoint."""
    spec = found["Spec"].get("EndpointSpec") or {}
    actual = found.get("Endpoint") or {}
    assigned = {(port.get("Protocol"), port["TargetPort"]): port for port in actual.get("Ports") or []}
    ports: list[Values] = []
    for port in spec.get("Ports") or []:
        own = assigned.get((port.get("Protocol"), port["TargetPort"]), {})
        ports.append(
            {
                "name": port.get("Name", ""),
                "protocol": port.get("Protocol", "tcp"),
                "targetPort": port["TargetPort"],
                "publishedPort": port.get("PublishedPort") or own.get("PublishedPort", 0),
                "publishMode": port.get("PublishMode", "ingress"),
            }
        )
    return {"mode": spec.get("Mode") or (actual.get("Spec") or {}).get("Mode") or "vip", "ports": ports}


def _task_state(task: Mapping[str, Any], state: Mapping[str, Any]) -> Values:
    log = task.get("LogDriver")
    return {
        "containerSpec": _container_state(task["ContainerSpec"], state.get("containerSpec") or {}),
        "resources": _resources_state(task.get("Resources") or {}),
        "restartPolicy": _restart_state(task.get("RestartPolicy") or {}),
        "placement": _placement_state(task.get("Placement") or {}),
        "forceUpdate": task.get("ForceUpdate", 0),
        "runtime": task.get("Runtime") or "container",
        "logDriver": {"name": log["Name"], "options": log.get("Options") or {}} if log else None,
        "networksAdvanceds": in_set_order([_network_state(network) for network in task.get("Networks") or []]),
    }


def _network_state(network: Mapping[str, Any]) -> Values:
    options = network.get("DriverOpts") or {}
    return {
        "id": network["Target"],
        "name": "",
        "aliases": in_set_order(network.get("Aliases") or []),
        "driverOpts": in_set_order([f"{key}={value}" for key, value in options.items()]),
    }


def _container_state(container: Mapping[str, Any], state: Mapping[str, Any]) -> Values:
    environment = [entry.partition("=") for entry in container.get("Env") or []]
    return {
        "image": container["Image"],
        "labels": label_set(container.get("Labels")),
        "commands": container.get("Command") or [],
        "args": container.get("Args") or [],
        "hostname": container.get("Hostname", ""),
        "env": {name: value for name, _, value in environment},
        "dir": container.get("Dir", ""),
        "user": container.get("User", ""),
        "groups": container.get("Groups") or [],
        "privileges": _privileges_state(container.get("Privileges") or {}),
        "readOnly": container.get("ReadOnly", False),
        "init": bool(container.get("Init")),
        "mounts": in_set_order([mount_state(mount) for mount in container.get("Mounts") or []]),
        "stopSignal": container.get("StopSignal", ""),
        "stopGracePeriod": durations.shortest(container.get("StopGracePeriod") or 0),
        "healthcheck": _healthcheck_state(container.get("Healthcheck") or {}),
        "hosts": in_set_order([_host_state(entry) for entry in container.get("Hosts") or []]),
        "dnsConfig": _resolver_state(container.get("DNSConfig") or {}),
        "secrets": _files_state(container.get("Secrets") or [], "secret"),
        "configs": _files_state(container.get("Configs") or [], "config"),
        "isolation": container.get("Isolation") or "default",
        "sysctl": container.get("Sysctls") or {},
        "capAdds": _capabilities(container.get("CapabilityAdd") or [], state.get("capAdds") or []),
        "capDrops": _capabilities(container.get("CapabilityDrop") or [], state.get("capDrops") or []),
    }


def _capabilities(found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The swarm writes every capability with its prefix; that is no difference to one written without."""
    bare = sorted(name.removeprefix("CAP_") for name in wanted)
    return list(wanted if bare == sorted(name.removeprefix("CAP_") for name in found) else found)


def _privileges_state(privileges: Mapping[str, Any]) -> Values | None:
    credentials, context = privileges.get("CredentialSpec"), privileges.get("SELinuxContext")
    if not credentials and not context:
        return None
    return {
        "credentialSpec": {"file": credentials.get("File", ""), "registry": credentials.get("Registry", "")}
        if credentials
        else None,
        "seLinuxContext": {
            "disable": context.get("Disable", False),
            "user": context.get("User", ""),
            "role": context.get("Role", ""),
            "type": context.get("Type", ""),
            "level": context.get("Level", ""),
        }
        if context
        else None,
    }


def _healthcheck_state(check: Mapping[str, Any]) -> Values:
    return {
        "tests": check.get("Test") or [],
        "interval": durations.shortest(check.get("Interval", 0)),
        "timeout": durations.shortest(check.get("Timeout", 0)),
        "startPeriod": durations.shortest(check.get("StartPeriod", 0)),
        "retries": check.get("Retries", 0),
    }


def _host_state(entry: str) -> Values:
    address, _, host = entry.partition(" ")
    return {"host": host, "ip": address}


def _resolver_state(config: Mapping[str, Any]) -> Values:
    if not config:
        return {"nameservers": None, "searches": None, "options": None}
    return {
        "nameservers": config.get("Nameservers") or [],
        "searches": config.get("Search") or [],
        "options": config.get("Options") or [],
    }


def _files_state(files: Sequence[Mapping[str, Any]], kind: str) -> list[Values]:
    word = kind.capitalize()
    return in_set_order(
        [
            {
                f"{kind}Id": file[f"{word}ID"],
                f"{kind}Name": file.get(f"{word}Name", ""),
                "fileName": file["File"]["Name"],
                "fileUid": file["File"]["UID"],
                "fileGid": file["File"]["GID"],
                "fileMode": file["File"]["Mode"],
            }
            for file in files
            if file.get("File")
        ]
    )


def _resources_state(resources: Mapping[str, Any]) -> Values:
    limits, reservations = resources.get("Limits"), resources.get("Reservations")
    return {
        "limits": _amounts_state(limits) if limits else None,
        "reservation": _amounts_state(reservations) | {"genericResources": _generic_state(reservations)}
        if reservations
        else None,
    }


def _amounts_state(amounts: Mapping[str, Any]) -> Values:
    return {"nanoCpus": amounts.get("NanoCPUs", 0), "memoryBytes": amounts.get("MemoryBytes", 0)}


def _generic_state(reservations: Mapping[str, Any]) -> Values | None:
    found = reservations.get("GenericResources")
    if not found:
        return None

    def entries(kind: str) -> list[str]:
        specs = [resource[kind] for resource in found if resource.get(kind)]
        return in_set_order([f"{spec['Kind']}={spec['Value']}" for spec in specs])

    return {
        "namedResourcesSpecs": entries("NamedResourceSpec"),
        "discreteResourcesSpecs": entries("DiscreteResourceSpec"),
    }


def _restart_state(policy: Mapping[str, Any]) -> Values:
    return {
        "condition": policy.get("Condition") or "any",
        "delay": _given_duration(policy.get("Delay")),
        "maxAttempts": policy.get("MaxAttempts", 0),
        "window": _given_duration(policy.get("Window")),
    }


def _given_duration(length: int | None) -> str:
    return "" if length is None else durations.shortest(length)


def _placement_state(placement: Mapping[str, Any]) -> Values:
    spreads = [preference["Spread"]["SpreadDescriptor"] for preference in placement.get("Preferences") or []]
    platforms = [
        {"architecture": platform.get("Architecture", ""), "os": platform.get("OS", "")}
        for platform in placement.get("Platforms") or []
    ]
    return {
        "constraints": in_set_order(placement.get("Constraints") or []),
        "prefs": in_set_order(spreads),
        "maxReplicas": placement.get("MaxReplicas", 0),
        "platforms": in_set_order(platforms),
    }
