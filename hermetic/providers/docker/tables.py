"""The rules of the docker plugin's resource types (pulumi-docker 5.1, upstream kreuzwerker 4.5), one table per type.

Seen in the plugin's own answers (tests/conformance/suite/docker_plugin) and in its published schema.
"""

from __future__ import annotations

from typing import Any

from hermetic.providers.rules import (
    Rules,
    absolute_path,
    at_least,
    base64_text,
    duration,
    matches,
    paths,
    ratio,
)

_MOUNT_TYPES = matches("^(bind|volume|tmpfs)$")
_PROPAGATION = matches("^(private|rprivate|shared|rshared|slave|rslave)$")


def _keeps_old_when_empty(old: Any, new: Any) -> bool:
    del old
    return new in (None, "")


def _same_network_mode(old: Any, new: Any) -> bool:
    return (old or "default") == (new or "default")


NETWORK = Rules(
    resource_type="docker:index/network:Network",
    computed=paths("driver options internal ipamConfigs scope"),
    sets=paths("labels ipamConfigs"),
    defaults={"ipamDriver": "default"},
    renamed={"ipamConfigs": "ipam_config"},
)

VOLUME = Rules(
    resource_type="docker:index/volume:Volume",
    computed=paths("driver mountpoint"),
    sets=paths("labels"),
    replaces=paths(
        "driver driverOpts labels labels.{label,value} name "
        "cluster.{group,limitBytes,requiredBytes,scope,sharing,topologyPreferred,topologyRequired,type}"
    ),
)

SECRET = Rules(
    resource_type="docker:index/secret:Secret",
    sets=paths("labels"),
    validations={"data": base64_text},
    secret_outputs=paths("data"),
)

SERVICE_CONFIG = Rules(
    resource_type="docker:index/serviceConfig:ServiceConfig",
    sets=paths("labels"),
    validations={"data": base64_text},
    conflicts=(("data", "dataRaw"),),
)

REMOTE_IMAGE = Rules(
    resource_type="docker:index/remoteImage:RemoteImage",
    autoname=False,
    replaces=paths(
        "name platform pullTriggers triggers build.{additionalContexts,buildArgs,buildId,buildLogFile,builder,"
        "cacheFroms,cacheTos,cgroupParent,context,cpuPeriod,cpuQuota,cpuSetCpus,cpuSetMems,cpuShares,dockerfile,"
        "extraHosts,forceRemove,isolation,labels,memory,memorySwap,networkMode,noCache,platform,provenance,"
        "pullParent,remoteContext,sbom,securityOpts,sessionId,shmSize,squash,suppressOutput,target,"
        "useLegacyBuilder,version} build.secrets.{env,id,src} build.ulimits.{hard,name,soft}"
    ),
    computed=paths("imageId repoDigest"),
    sets=paths("pullTriggers"),
    defaults={"build.dockerfile": "Dockerfile", "build.remove": True},
    renamed={
        "build.authConfigs": "auth_config",
        "build.cacheFroms": "cache_from",
        "build.cacheTos": "cache_to",
        "build.securityOpts": "security_opt",
        "build.tags": "tag",
        "build.ulimits": "ulimit",
    },
)

CONTAINER = Rules(
    resource_type="docker:index/container:Container",
    delete_before_replace=True,
    replaces=paths(
        "capabilities capabilities.{adds,drops} cgroupParent cgroupnsMode command cpus devices dns dnsOpts dnsSearches "
        "devices.{containerPath,hostPath,permissions} deviceRequests domainname entrypoints envs gpus groupAdds "
        "deviceRequests.{capabilities,count,deviceIds,driver,options} hostname hosts hosts.{host,ip} image ipcMode "
        "labels labels.{label,value} logDriver logOpts mounts mounts.tmpfsOptions mounts.volumeOptions.subpath "
        "mounts.volumeOptions.labels.{label,value} name networkMode networksAdvanced "
        "networksAdvanced.{aliases,driverOpts,gwPriority,ipv4Address,ipv6Address,linkLocalIps,macAddress,name} "
        "pidMode platform ports ports.{external,internal,ip,protocol} privileged publishAllPorts readOnly runtime "
        "securityOpts shmSize stdinOpen stopSignal stopTimeout storageOpts sysctls tty ulimits "
        "ulimits.{hard,name,soft} uploads "
        "uploads.{content,contentBase64,executable,file,permissions,source,sourceHash} user usernsMode volumes "
        "volumes.{containerPath,fromContainer,hostPath,readOnly,selinuxRelabel,volumeName} workingDir"
    ),
    computed=paths(
        "bridge command containerLogs entrypoints envs exitCode healthcheck hostname init ipcMode labels logDriver "
        "networkDatas platform runtime securityOpts shmSize stopSignal stopTimeout ports.external"
    ),
    sets=paths(
        "capabilities capabilities.{adds,drops} deviceReadBps deviceReadIops deviceRequests deviceWriteBps "
        "deviceWriteIops devices dns dnsOpts dnsSearches envs groupAdds hosts labels mounts "
        "mounts.volumeOptions.labels networksAdvanced networksAdvanced.{aliases,driverOpts,linkLocalIps} securityOpts "
        "ulimits uploads volumes"
    ),
    unordered=paths("ports"),
    defaults={
        "attach": False,
        "containerReadRefreshTimeoutMilliseconds": 15000,
        "healthcheck.interval": "0s",
        "healthcheck.retries": 0,
        "healthcheck.startInterval": "0s",
        "healthcheck.startPeriod": "0s",
        "healthcheck.timeout": "0s",
        "logs": False,
        "memoryReservation": 0,
        "mustRun": True,
        "networkMode": "bridge",
        "ports.ip": "0.0.0.0",  # noqa: S104  the plugin's own default
        "ports.protocol": "tcp",
        "readOnly": False,
        "removeVolumes": True,
        "restart": "no",
        "rm": False,
        "start": True,
        "stdinOpen": False,
        "tty": False,
        "uploads.executable": False,
        "wait": False,
        "waitTimeout": 60,
    },
    validations={
        "cpuPeriod": at_least(0),
        "cpuQuota": at_least(0),
        "cpuSet": matches(r"^\d+([,-]\d+)*$"),
        "cpuShares": at_least(0),
        "healthcheck.interval": duration,
        "healthcheck.retries": at_least(0),
        "healthcheck.startInterval": duration,
        "healthcheck.startPeriod": duration,
        "healthcheck.timeout": duration,
        "memory": at_least(0),
        "memoryReservation": at_least(0),
        "memorySwap": at_least(-1),
        "mounts.bindOptions.propagation": _PROPAGATION,
        "mounts.type": _MOUNT_TYPES,
        "restart": matches("^(no|on-failure|always|unless-stopped)$"),
        "shmSize": at_least(0),
        "uploads.contentBase64": base64_text,
        "volumes.hostPath": absolute_path,
    },
    renamed={
        "capabilities.adds": "add",
        "capabilities.drops": "drop",
        "dnsSearches": "dns_search",
        "entrypoints": "entrypoint",
        "envs": "env",
        "groupAdds": "group_add",
        "healthcheck.tests": "test",
        "hosts": "host",
        "networkDatas": "network_data",
        "ulimits": "ulimit",
        "uploads": "upload",
    },
    suppressed={
        "networkMode": _same_network_mode,
        "user": _keeps_old_when_empty,
        "workingDir": _keeps_old_when_empty,
    },
)

_ROLLOUT_DEFAULTS = {
    "parallelism": 1,
    "delay": "0s",
    "failureAction": "pause",
    "monitor": "5s",
    "maxFailureRatio": "0.0",
    "order": "stop-first",
}
_FILE_DEFAULTS = {"fileUid": "0", "fileGid": "0", "fileMode": 0o444}
_ROLLOUTS = ("updateConfig", "rollbackConfig")
_CONTAINER_SPEC = "taskSpec.containerSpec"

SERVICE = Rules(
    resource_type="docker:index/service:Service",
    replaces=paths(
        "auth auth.{password,serverAddress,username} mode name taskSpec.containerSpec.hosts "
        "taskSpec.containerSpec.hosts.{host,ip} taskSpec.containerSpec.labels.{label,value} "
        "taskSpec.containerSpec.mounts.volumeOptions.labels.{label,value} taskSpec.containerSpec.sysctl "
        "taskSpec.networksAdvanceds.{aliases,driverOpts,id,name}"
    ),
    noisy_replacement="taskSpec",  # the plugin sees a change of sysctl in every update, and sysctl replaces
    computed=paths(
        "labels mode mode.replicated endpointSpec endpointSpec.mode endpointSpec.ports.publishedPort "
        "taskSpec.{forceUpdate,placement,resources,restartPolicy,runtime} "
        "taskSpec.containerSpec.{dnsConfig,healthcheck,init,stopGracePeriod}"
    ),
    sets=paths(
        "labels taskSpec.networksAdvanceds taskSpec.networksAdvanceds.{aliases,driverOpts} "
        "taskSpec.placement.{constraints,platforms,prefs} "
        "taskSpec.resources.reservation.genericResources.{discreteResourcesSpecs,namedResourcesSpecs} "
        "taskSpec.containerSpec.{configs,hosts,labels,mounts,secrets} "
        "taskSpec.containerSpec.mounts.volumeOptions.labels"
    ),
    defaults={
        "convergeConfig.delay": "7s",
        "convergeConfig.timeout": "3m",
        "endpointSpec.ports.protocol": "tcp",
        "endpointSpec.ports.publishMode": "ingress",
        "mode.global": False,
        "mode.replicated.replicas": 1,
        f"{_CONTAINER_SPEC}.healthcheck.interval": "0s",
        f"{_CONTAINER_SPEC}.healthcheck.retries": 0,
        f"{_CONTAINER_SPEC}.healthcheck.startPeriod": "0s",
        f"{_CONTAINER_SPEC}.healthcheck.timeout": "0s",
        f"{_CONTAINER_SPEC}.isolation": "default",
        **{f"{rollout}.{name}": default for rollout in _ROLLOUTS for name, default in _ROLLOUT_DEFAULTS.items()},
        **{
            f"{_CONTAINER_SPEC}.{files}.{name}": default
            for files in ("secrets", "configs")
            for name, default in _FILE_DEFAULTS.items()
        },
    },
    validations={
        "convergeConfig.delay": duration,
        "convergeConfig.timeout": duration,
        "endpointSpec.mode": matches("^(vip|dnsrr)$"),
        "endpointSpec.ports.protocol": matches("^(tcp|udp|sctp)$"),
        "endpointSpec.ports.publishMode": matches("^(host|ingress)$"),
        "mode.replicated.replicas": at_least(0),
        "rollbackConfig.failureAction": matches("(pause|continue)"),
        "updateConfig.failureAction": matches("^(pause|continue|rollback)$"),
        "rollbackConfig.order": matches("(stop-first|start-first)"),
        "updateConfig.order": matches("^(stop-first|start-first)$"),
        **{f"{rollout}.{name}": duration for rollout in _ROLLOUTS for name in ("delay", "monitor")},
        **{f"{rollout}.maxFailureRatio": ratio for rollout in _ROLLOUTS},
        **{f"{rollout}.parallelism": at_least(0) for rollout in _ROLLOUTS},
        f"{_CONTAINER_SPEC}.configs.fileMode": at_least(0),
        f"{_CONTAINER_SPEC}.healthcheck.interval": duration,
        f"{_CONTAINER_SPEC}.healthcheck.retries": at_least(0),
        f"{_CONTAINER_SPEC}.healthcheck.startPeriod": duration,
        f"{_CONTAINER_SPEC}.healthcheck.timeout": duration,
        f"{_CONTAINER_SPEC}.isolation": matches("^(default|process|hyperv)$"),
        f"{_CONTAINER_SPEC}.mounts.bindOptions.propagation": _PROPAGATION,
        f"{_CONTAINER_SPEC}.mounts.type": _MOUNT_TYPES,
        f"{_CONTAINER_SPEC}.secrets.fileMode": at_least(0),
        f"{_CONTAINER_SPEC}.stopGracePeriod": duration,
        "taskSpec.forceUpdate": at_least(0),
        "taskSpec.placement.maxReplicas": at_least(0),
        "taskSpec.restartPolicy.condition": matches("^(none|on-failure|any)$"),
        "taskSpec.restartPolicy.delay": duration,
        "taskSpec.restartPolicy.maxAttempts": at_least(0),
        "taskSpec.restartPolicy.window": duration,
        "taskSpec.runtime": matches("^(container|plugin)$"),
    },
    exclusions={
        "mode.global": ("mode.replicated", "convergeConfig"),
        "mode.replicated": ("mode.global",),
        "convergeConfig": ("mode.global",),
    },
    renamed={
        "taskSpec.networksAdvanceds": "networks_advanced",
        f"{_CONTAINER_SPEC}.capAdds": "cap_add",
        f"{_CONTAINER_SPEC}.capDrops": "cap_drop",
        f"{_CONTAINER_SPEC}.commands": "command",
        f"{_CONTAINER_SPEC}.dnsConfig.searches": "search",
        f"{_CONTAINER_SPEC}.healthcheck.tests": "test",
    },
)
