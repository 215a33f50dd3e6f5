"""A container's inputs in the Engine API's form, as `POST /containers/create` takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hermetic.providers.check import Values
from hermetic.providers.docker.pieces import given, label_map, length, mount_spec

_MEBIBYTE = 1024 * 1024
_OPEN_PATHS = "systempaths=unconfined"


def container_config(planned: Values) -> dict[str, Any]:
    """Config, HostConfig and the first network; further networks can only be connected after creation in API < 1.44."""
    networks = planned["networksAdvanced"]
    exposed = {_port_key(port): {} for port in planned["ports"]}
    return given(
        Image=planned["image"],
        Hostname=planned["hostname"] or None,
        Domainname=planned["domainname"] or None,
        User=planned["user"] or None,
        Env=planned["envs"] or None,
        Cmd=planned["command"] or None,
        Entrypoint=planned["entrypoints"] or None,
        Labels=label_map(planned["labels"]) or None,
        WorkingDir=planned["workingDir"] or None,
        StopSignal=planned["stopSignal"] or None,
        StopTimeout=planned["stopTimeout"] or None,
        Tty=planned["tty"],
        OpenStdin=planned["stdinOpen"],
        Healthcheck=_healthcheck(planned["healthcheck"]),
        ExposedPorts=exposed or None,
        Volumes=_anonymous_volumes(planned["volumes"]) or None,
        HostConfig=_host_config(planned),
        NetworkingConfig={"EndpointsConfig": {networks[0]["name"]: endpoint_config(networks[0])}} if networks else None,
    )


def endpoint_config(network: Mapping[str, Any]) -> dict[str, Any]:
    """One of `networksAdvanced`: its fixed addresses, aliases and driver options."""
    ipam = given(
        IPv4Address=network.get("ipv4Address") or None,
        IPv6Address=network.get("ipv6Address") or None,
        LinkLocalIPs=network.get("linkLocalIps") or None,
    )
    return given(
        IPAMConfig=ipam or None,
        Aliases=network.get("aliases") or None,
        DriverOpts=pairs(network.get("driverOpts")) or None,
        MacAddress=network.get("macAddress") or None,
        GwPriority=network.get("gwPriority") or None,
    )


def pairs(options: Sequence[str] | None) -> dict[str, str]:
    """`["a=b"]` as a map."""
    return {key: value for key, _, value in (option.partition("=") for option in options or ())}


def _port_key(port: Mapping[str, Any]) -> str:
    return f"{port['internal']}/{port.get('protocol') or 'tcp'}"


def _healthcheck(check: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not check or not check.get("tests"):
        return None
    return given(
        Test=check["tests"],
        Interval=length(check.get("interval")),
        Timeout=length(check.get("timeout")),
        StartPeriod=length(check.get("startPeriod")),
        StartInterval=length(check.get("startInterval")) or None,
        Retries=check.get("retries"),
    )


def _anonymous_volumes(volumes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        volume["containerPath"]: {}
        for volume in volumes
        if not (volume.get("hostPath") or volume.get("volumeName") or volume.get("fromContainer"))
    }


def _host_config(planned: Values) -> dict[str, Any]:
    return given(
        AutoRemove=planned["rm"],
        Privileged=planned["privileged"],
        PublishAllPorts=planned["publishAllPorts"],
        ReadonlyRootfs=planned["readOnly"],
        RestartPolicy={"Name": planned["restart"], "MaximumRetryCount": planned["maxRetryCount"] or 0},
        Init=planned["init"],
        Runtime=planned["runtime"] or None,
        IpcMode=planned["ipcMode"] or None,
        PidMode=planned["pidMode"] or None,
        UsernsMode=planned["usernsMode"] or None,
        CgroupnsMode=planned["cgroupnsMode"] or None,
        CgroupParent=planned["cgroupParent"] or None,
        StorageOpt=planned["storageOpts"],
        Sysctls=planned["sysctls"],
        Tmpfs=planned["tmpfs"],
        LogConfig=_log_config(planned),
        **_networking(planned),
        **_mounting(planned),
        **_limits(planned),
        **_privileges(planned),
        **_devices(planned),
    )


def _log_config(planned: Values) -> dict[str, Any] | None:
    if not planned["logDriver"] and not planned["logOpts"]:
        return None
    return {"Type": planned["logDriver"] or "", "Config": planned["logOpts"] or {}}


def _networking(planned: Values) -> dict[str, Any]:
    networks, mode = planned["networksAdvanced"], planned["networkMode"]
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in planned["ports"]:
        external = port.get("external")
        binding = {"HostIp": port.get("ip") or "", "HostPort": str(external) if external else ""}
        bindings.setdefault(_port_key(port), []).append(binding)
    # A container started in the network it was made for gets that network's resolver and never touches the default one.
    own = networks[0]["name"] if networks and mode in (None, "", "default", "bridge") else mode
    return {
        "NetworkMode": own or None,
        "PortBindings": bindings or None,
        "Dns": planned["dns"],
        "DnsOptions": planned["dnsOpts"],
        "DnsSearch": planned["dnsSearches"],
        "ExtraHosts": [f"{host['host']}:{host['ip']}" for host in planned["hosts"]] or None,
    }


def _mounting(planned: Values) -> dict[str, Any]:
    binds, borrowed = [], []
    for volume in planned["volumes"]:
        access = "ro" if volume.get("readOnly") else "rw"
        if volume.get("fromContainer"):
            borrowed.append(f"{volume['fromContainer']}:{access}")
        elif source := volume.get("hostPath") or volume.get("volumeName"):
            label = f",{volume['selinuxRelabel']}" if volume.get("selinuxRelabel") else ""
            binds.append(f"{source}:{volume['containerPath']}:{access}{label}")
    return {
        "Binds": binds or None,
        "VolumesFrom": borrowed or None,
        "Mounts": [mount_spec(mount) for mount in planned["mounts"]] or None,
    }


def _limits(planned: Values) -> dict[str, Any]:
    swap = planned["memorySwap"]
    return {
        "Memory": _bytes(planned["memory"]),
        "MemoryReservation": _bytes(planned["memoryReservation"]),
        "MemorySwap": swap if swap is not None and swap < 0 else _bytes(swap),
        "ShmSize": _bytes(planned["shmSize"]),
        "CpuShares": planned["cpuShares"],
        "CpusetCpus": planned["cpuSet"] or None,
        "CpuPeriod": planned["cpuPeriod"],
        "CpuQuota": planned["cpuQuota"],
        "NanoCpus": int(float(planned["cpus"]) * 1e9) if planned["cpus"] else None,
        "Ulimits": [
            {"Name": limit["name"], "Soft": limit["soft"], "Hard": limit["hard"]} for limit in planned["ulimits"]
        ]
        or None,
    }


def _bytes(mebibytes: int | None) -> int | None:
    return mebibytes * _MEBIBYTE if mebibytes else None


def _privileges(planned: Values) -> dict[str, Any]:
    capabilities = planned["capabilities"] or {}
    options = planned["securityOpts"] or []
    # The daemon knows no such option: it is a word of the command line for two empty lists.
    paths: dict[str, Any] = {"MaskedPaths": [], "ReadonlyPaths": []} if _OPEN_PATHS in options else {}
    return {
        "CapAdd": capabilities.get("adds") or None,
        "CapDrop": capabilities.get("drops") or None,
        "SecurityOpt": [option for option in options if option != _OPEN_PATHS] or None,
        "GroupAdd": planned["groupAdds"],
        **paths,
    }


def _devices(planned: Values) -> dict[str, Any]:
    devices = [
        {
            "PathOnHost": device["hostPath"],
            "PathInContainer": device.get("containerPath") or device["hostPath"],
            "CgroupPermissions": device.get("permissions") or "rwm",
        }
        for device in planned["devices"]
    ]
    requests = [
        given(
            Driver=request.get("driver") or None,
            Count=request.get("count"),
            DeviceIDs=request.get("deviceIds") or None,
            Capabilities=[request["capabilities"]] if request.get("capabilities") else None,
            Options=request.get("options"),
        )
        for request in planned["deviceRequests"]
    ]
    if planned["gpus"] == "all":
        requests.append({"Count": -1, "Capabilities": [["gpu"]]})
    rates = {
        f"BlkioDevice{name}": [{"Path": rate["path"], "Rate": rate["rate"]} for rate in planned[f"device{field}"]]
        or None
        for name, field in (
            ("ReadBps", "ReadBps"),
            ("ReadIOps", "ReadIops"),
            ("WriteBps", "WriteBps"),
            ("WriteIOps", "WriteIops"),
        )
    }
    return {"Devices": devices or None, "DeviceRequests": requests or None, **rates}
