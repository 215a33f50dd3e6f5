"""A container as the daemon has it, in the plugin's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hermetic.providers import durations
from hermetic.providers.check import Values
from hermetic.providers.docker.pieces import label_set, mount_state
from hermetic.providers.plan import in_set_order

_MEBIBYTE = 1024 * 1024
_OPEN_PATHS = "systempaths=unconfined"


def container_state(found: Mapping[str, Any], state: Values) -> Values:
    """What can be read back; `state` says which of several ways of saying a thing was chosen."""
    config, host = found["Config"], found["HostConfig"]
    running = found["State"]["Running"]
    return {
        "name": found["Name"].lstrip("/"),
        "image": _image(found, state),
        "hostname": config["Hostname"],
        "domainname": config["Domainname"],
        "user": config["User"],
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "envs": _own_environment(config.get("Env") or [], state),
        "labels": label_set(_own_labels(config.get("Labels") or {}, state)),
        "workingDir": config.get("WorkingDir", ""),
        "stopSignal": config.get("StopSignal", ""),
        "stopTimeout": config.get("StopTimeout") or 0,
        "tty": config["Tty"],
        "stdinOpen": config["OpenStdin"],
        "healthcheck": _healthcheck(config.get("Healthcheck"), state),
        # A stopped container that must run is a difference that the next update repairs by starting it.
        "mustRun": bool(state.get("mustRun")) and (running or not state.get("start", True)),
        "exitCode": None if running else found["State"]["ExitCode"],
        "platform": found.get("Platform", "linux"),
        **_host_state(host, state),
        **_network_state(found, state),
    }


def _image(found: Mapping[str, Any], state: Values) -> str:
    """The image as it was named, while that name or id is what the container was made of."""
    wanted = state.get("image")
    return str(wanted) if wanted in (found["Image"], found["Config"]["Image"]) else str(found["Config"]["Image"])


def _own_environment(environment: Sequence[str], state: Values) -> list[str]:
    """Without what the image itself brings: only what was asked for, and changes of that, is the resource's."""
    wanted = state.get("envs") or []
    names = {entry.partition("=")[0] for entry in wanted}
    return in_set_order([entry for entry in environment if entry.partition("=")[0] in names])


def _own_labels(labels: Mapping[str, str], state: Values) -> dict[str, str]:
    names = {label["label"] for label in state.get("labels") or []}
    return {key: value for key, value in labels.items() if key in names}


def _healthcheck(check: Mapping[str, Any] | None, state: Values) -> Values | None:
    if not check or not (check.get("Test") and state.get("healthcheck")):
        return None
    return {
        "tests": check["Test"],
        "interval": durations.shortest(check.get("Interval", 0)),
        "timeout": durations.shortest(check.get("Timeout", 0)),
        "startPeriod": durations.shortest(check.get("StartPeriod", 0)),
        "startInterval": durations.shortest(check.get("StartInterval", 0)),
        "retries": check.get("Retries", 0),
    }


def _host_state(host: Mapping[str, Any], state: Values) -> Values:
    log, restart = host["LogConfig"], host["RestartPolicy"]
    adds, drops = host.get("CapAdd") or [], host.get("CapDrop") or []
    return {
        "rm": host["AutoRemove"],
        "privileged": host["Privileged"],
        "publishAllPorts": host["PublishAllPorts"],
        "readOnly": host["ReadonlyRootfs"],
        "restart": restart["Name"] or "no",
        "maxRetryCount": restart["MaximumRetryCount"],
        "init": bool(host.get("Init")),
        "runtime": host["Runtime"],
        "ipcMode": host["IpcMode"],
        "usernsMode": host["UsernsMode"],
        "capabilities": {"adds": in_set_order(adds), "drops": in_set_order(drops)} if adds or drops else None,
        "securityOpts": _security_options(host, state),
        "groupAdds": in_set_order(host.get("GroupAdd") or []),
        "dns": in_set_order(host.get("Dns") or []),
        "dnsOpts": in_set_order(host.get("DnsOptions") or []),
        "dnsSearches": in_set_order(host.get("DnsSearch") or []),
        "hosts": in_set_order([_host_entry(entry) for entry in host.get("ExtraHosts") or []]),
        "storageOpts": host.get("StorageOpt") or {},
        "sysctls": host.get("Sysctls") or {},
        "tmpfs": host.get("Tmpfs") or {},
        "logDriver": log["Type"],
        "logOpts": log.get("Config") or {},
        "mounts": in_set_order([mount_state(mount) for mount in host.get("Mounts") or []]),
        "memory": host["Memory"] // _MEBIBYTE,
        "memorySwap": host["MemorySwap"] // _MEBIBYTE if host["MemorySwap"] > 0 else host["MemorySwap"],
        "memoryReservation": host["MemoryReservation"] // _MEBIBYTE,
        "shmSize": host["ShmSize"] // _MEBIBYTE,
        "cpuShares": host["CpuShares"],
        "cpuSet": host["CpusetCpus"],
        "ulimits": in_set_order(
            [
                {"name": limit["Name"], "soft": limit["Soft"], "hard": limit["Hard"]}
                for limit in host.get("Ulimits") or []
            ]
        ),
    }


def _host_entry(entry: str) -> Values:
    host, _, address = entry.partition(":")
    return {"host": host, "ip": address}


def _security_options(host: Mapping[str, Any], state: Values) -> list[str]:
    """The daemon adds options of its own (a label in privileged containers), and keeps one of ours in other fields."""
    wanted = state.get("securityOpts") or []
    opened = [_OPEN_PATHS] if _OPEN_PATHS in wanted and host.get("MaskedPaths") == [] else []
    return in_set_order([option for option in host.get("SecurityOpt") or [] if option in wanted] + opened)


def _network_state(found: Mapping[str, Any], state: Values) -> Values:
    settings, host = found["NetworkSettings"], found["HostConfig"]
    networks: Mapping[str, Mapping[str, Any]] = settings.get("Networks") or {}
    wanted = state.get("networksAdvanced") or []
    mode = host["NetworkMode"]
    return {
        "bridge": settings.get("Bridge", ""),
        "networkMode": state.get("networkMode") if wanted else ("bridge" if mode == "default" else mode),
        "networkDatas": [_network_data(name, network) for name, network in networks.items()],
        "networksAdvanced": in_set_order(
            [attached for network in wanted if (attached := _attachment(network, networks)) is not None]
        ),
        "ports": _ports(found, state),
    }


def _network_data(name: str, network: Mapping[str, Any]) -> Values:
    return {
        "networkName": name,
        "ipAddress": network["IPAddress"],
        "ipPrefixLength": network["IPPrefixLen"],
        "gateway": network["Gateway"],
        "globalIpv6Address": network["GlobalIPv6Address"],
        "globalIpv6PrefixLength": network["GlobalIPv6PrefixLen"],
        "ipv6Gateway": network["IPv6Gateway"],
        "macAddress": network["MacAddress"],
    }


def _attachment(wanted: Mapping[str, Any], networks: Mapping[str, Mapping[str, Any]]) -> Values | None:
    """A wanted network as it is attached; None when the container is no longer in it."""
    by_id = (network for network in networks.values() if network["NetworkID"] == wanted["name"])
    network = networks.get(wanted["name"]) or next(by_id, None)
    if network is None:
        return None
    ipam = network.get("IPAMConfig") or {}
    aliases = set(network.get("Aliases") or ())
    return {
        **wanted,
        "aliases": in_set_order([alias for alias in wanted.get("aliases") or () if alias in aliases]),
        "ipv4Address": ipam.get("IPv4Address", ""),
        "ipv6Address": ipam.get("IPv6Address", ""),
    }


def _ports(found: Mapping[str, Any], state: Values) -> list[Values]:
    """The bindings asked for, in the order asked for; a port left to the daemon is read from the running container."""
    published = found["NetworkSettings"].get("Ports") or {}
    read: list[Values] = []
    for key, bindings in (found["HostConfig"].get("PortBindings") or {}).items():
        internal, _, protocol = key.partition("/")
        for index, binding in enumerate(bindings or ()):
            actual = (published.get(key) or [])[index : index + 1]
            port = binding["HostPort"] or (actual[0]["HostPort"] if actual else "0")
            address = binding["HostIp"] or "0.0.0.0"  # noqa: S104  what the API means by no address
            read.append({"internal": int(internal), "external": int(port), "ip": address, "protocol": protocol})
    order = [(port.get("internal"), port.get("protocol"), port.get("ip")) for port in state.get("ports") or ()]

    def place(port: Values) -> tuple[int, int]:
        key = (port["internal"], port["protocol"], port["ip"])
        return (order.index(key) if key in order else len(order), port["internal"])

    return sorted(read, key=place)
