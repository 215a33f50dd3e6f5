"""Every key of the Compose specification: what becomes of it on a swarm, and why. The reader goes by this table and the
page docs/compose.md is rendered from it, so that neither says what the other does not do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["supported", "ignored", "refused"]

SUPPORTED: Final = "supported"
IGNORED: Final = "ignored"
REFUSED: Final = "refused"


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key of a section. `why` says what a supported key becomes where that is not plain, else why not; `fix` is what
    to do about one that is ignored or refused."""

    name: str
    verdict: Verdict
    why: str = ""
    fix: str = ""


Table = Mapping[str, Key]


def _table(*keys: Key) -> Table:
    return {key.name: key for key in sorted(keys, key=lambda key: key.name)}


def _supported(name: str, why: str = "") -> Key:
    return Key(name=name, verdict=SUPPORTED, why=why)


def _each(names: str) -> Iterable[Key]:
    return (_supported(name) for name in names.split())


def _ignored(name: str, why: str, fix: str) -> Key:
    return Key(name=name, verdict=IGNORED, why=why, fix=fix)


def _refused(name: str, why: str, fix: str) -> Key:
    return Key(name=name, verdict=REFUSED, why=why, fix=fix)


_NO_SERVICE_FIELD = "a swarm service has no such field"
_NOT_IN_PROVIDER = "a swarm knows it, but the Docker provider of Pulumi cannot say it"
_NO_TUNING = "leave it out; limits are deploy.resources.limits"
_ONE_MACHINE = "it is for containers on one machine"

TOP: Final = _table(
    *_each("services networks volumes secrets configs"),
    _supported("version", "`2`, `2.x`, `3`, `3.x` or none; all are read by today's specification"),
    _ignored("name", "the stack's name is the key in `flotilla:compose`", "leave it out"),
    _refused("include", "one file is read", "merge the files, or name each as a stack of its own"),
    _refused("models", _NO_SERVICE_FIELD, "leave it out"),
)

SERVICE: Final = _table(
    *_each(
        "image command entrypoint environment deploy networks secrets configs healthcheck hostname user working_dir"
    ),
    *_each("read_only cap_add cap_drop sysctls extra_hosts dns dns_opt dns_search group_add logging stop_signal"),
    _supported("labels", "labels of the containers; `deploy.labels` are the service's"),
    _supported("env_file", "read beside the Compose file; `environment` goes before it"),
    _supported(
        "ports", "short and long form; through the routing mesh or the proxy on every node; no address of a host"
    ),
    _supported("volumes", "named, bind and tmpfs; a named volume is pinned to one node (M59), or the file is refused"),
    _supported("tmpfs", "paths; a size is said in the long form of `volumes`"),
    _supported("init", "an init process that forwards signals"),
    _supported("stop_grace_period", "10 seconds where it is not said"),
    _supported("platform", "placement by the platform of the image"),
    _supported("scale", "as `deploy.replicas`"),
    _supported("mem_limit", "as `deploy.resources.limits.memory`"),
    _supported("mem_reservation", "as `deploy.resources.reservations.memory`"),
    _supported("cpus", "as `deploy.resources.limits.cpus`"),
    _supported("restart", "as `deploy.restart_policy.condition`, with a line that says so"),
    _ignored("build", "a swarm runs images and builds none", "push the image and name it as image"),
    _ignored("depends_on", "a swarm starts all services at once", "let the service wait for what it needs"),
    _ignored("container_name", "tasks are named by their service and slot", "use the service's name"),
    _ignored("expose", "services of one network reach every port of each other", "leave it out"),
    _ignored("links", "services of one network find each other by name; another name is refused", "leave it out"),
    _ignored("attach", "it is for `docker compose up` in the foreground", "leave it out"),
    _ignored("develop", "it is for `docker compose watch`", "leave it out"),
    _ignored("annotations", _NO_SERVICE_FIELD, "use labels"),
    _ignored("pull_policy", "a node pulls what it has not; a digest never changes", "name the image by digest"),
    _ignored("pull_refresh_after", "a node pulls what it has not; a digest never changes", "name the image by digest"),
    _refused("blkio_config", _NO_SERVICE_FIELD, "leave it out"),
    _refused("cgroup", _NO_SERVICE_FIELD, "leave it out"),
    _refused("cgroup_parent", _NO_SERVICE_FIELD, "leave it out"),
    _refused("cpu_count", _NO_SERVICE_FIELD, _NO_TUNING),
    _refused("cpu_percent", _NO_SERVICE_FIELD, _NO_TUNING),
    _refused("cpu_period", _NO_SERVICE_FIELD, _NO_TUNING),
    _refused("cpu_quota", _NO_SERVICE_FIELD, "use deploy.resources.limits.cpus"),
    _refused("cpu_rt_period", _NO_SERVICE_FIELD, _NO_TUNING),
    _refused("cpu_rt_runtime", _NO_SERVICE_FIELD, _NO_TUNING),
    _refused("cpu_shares", _NO_SERVICE_FIELD, "use deploy.resources.reservations.cpus"),
    _refused("cpuset", _NO_SERVICE_FIELD, "use deploy.resources.limits.cpus"),
    _refused("credential_spec", "it is for Windows containers", "leave it out"),
    _refused("device_cgroup_rules", _NO_SERVICE_FIELD, "leave it out"),
    _refused("devices", _NO_SERVICE_FIELD, "run it outside the swarm on the machine that has the device"),
    _refused("domainname", _NO_SERVICE_FIELD, "say the whole name as hostname"),
    _refused("extends", "one file is read", "write the keys out, or use a YAML anchor"),
    _refused("external_links", _ONE_MACHINE, "join the network of the other service as an external one"),
    _refused("gpus", _NO_SERVICE_FIELD, "run it outside the swarm on the machine that has the device"),
    _refused("ipc", _NO_SERVICE_FIELD, "leave it out"),
    _refused("isolation", "it is for Windows containers", "leave it out"),
    _refused("label_file", "labels decide nothing here that a file would have to", "write them as labels"),
    _refused("mac_address", _NO_SERVICE_FIELD, "leave it out"),
    _refused("mem_swappiness", _NO_SERVICE_FIELD, _NO_TUNING),
    _refused("memswap_limit", _NO_SERVICE_FIELD, _NO_TUNING),
    _refused("models", _NO_SERVICE_FIELD, "leave it out"),
    _refused("network_mode", _NO_SERVICE_FIELD, "use networks, and ports in mode host for a port of the node"),
    _refused("oom_kill_disable", _NO_SERVICE_FIELD, _NO_TUNING),
    _refused("oom_score_adj", _NOT_IN_PROVIDER, "leave it out"),
    _refused("pid", _NO_SERVICE_FIELD, "leave it out"),
    _refused("pids_limit", _NOT_IN_PROVIDER, "leave it out"),
    _refused("post_start", _NO_SERVICE_FIELD, "do it in the image's entrypoint"),
    _refused("pre_stop", _NO_SERVICE_FIELD, "do it in the image on its stop signal"),
    _refused("privileged", _NO_SERVICE_FIELD, "name what it needs as cap_add"),
    _refused("profiles", "all services of the file are deployed", "leave the service out, or the key"),
    _refused("provider", "it is for plugins of `docker compose`", "leave the service out"),
    _refused("runtime", _NO_SERVICE_FIELD, "make it the default runtime of the nodes"),
    _refused("security_opt", _NOT_IN_PROVIDER, "leave it out"),
    _refused("shm_size", _NO_SERVICE_FIELD, "mount a tmpfs at /dev/shm with the size"),
    _refused("stdin_open", _NOT_IN_PROVIDER, "give the service a command that runs by itself"),
    _refused("storage_opt", _NO_SERVICE_FIELD, "leave it out"),
    _refused("tty", _NOT_IN_PROVIDER, "give the service a command that runs by itself"),
    _refused("ulimits", _NOT_IN_PROVIDER, "set them as the nodes' defaults"),
    _refused("use_api_socket", "it is for `docker compose`", "mount /var/run/docker.sock, if that is meant"),
    _refused("userns_mode", _NO_SERVICE_FIELD, "leave it out"),
    _refused("uts", _NO_SERVICE_FIELD, "leave it out"),
    _refused("volume_driver", "each volume names its own driver", "say driver under volumes"),
    _refused("volumes_from", _ONE_MACHINE, "name the volume in both services"),
)

DEPLOY: Final = _table(
    *_each("labels update_config rollback_config restart_policy placement resources"),
    _supported("mode", "`replicated` or `global`; jobs are refused"),
    _supported("replicas", "1 where it is not said; none in global mode"),
    _supported("endpoint_mode", "`vip` becomes `dnsrr` where `network.publish_mode` is `host`: no IP_VS, no address"),
)

PLACEMENT: Final = _table(
    *_each("constraints max_replicas_per_node"),
    _supported("preferences", "`spread` alone; over zones where none is said"),
)

RESOURCES: Final = _table(*_each("limits reservations"))

LIMITS: Final = _table(
    *_each("cpus memory"),
    _refused("pids", _NOT_IN_PROVIDER, "leave it out"),
)

RESERVATIONS: Final = _table(
    *_each("cpus memory"),
    _refused("generic_resources", "no node of Flotilla has any", "use a label and a constraint"),
    _refused("devices", _NO_SERVICE_FIELD, "use a label and a constraint"),
)

ROLLOUT: Final = _table(*_each("parallelism delay failure_action monitor max_failure_ratio order"))
RESTART: Final = _table(*_each("condition delay max_attempts window"))
LOGGING: Final = _table(*_each("driver options"))

HEALTHCHECK: Final = _table(
    *_each("test disable interval timeout retries start_period"),
    _refused("start_interval", _NOT_IN_PROVIDER, "use a shorter interval"),
)

PORT: Final = _table(
    *_each("target published protocol mode"),
    _ignored("name", "a swarm's ports have no name", "leave it out"),
    _ignored("app_protocol", "every port is passed on as it is", "leave it out"),
    _refused("host_ip", "a swarm publishes on every address of a node", "leave the address out"),
)

MOUNT: Final = _table(
    *_each("type source target read_only bind volume tmpfs"),
    _ignored("consistency", "it is for Docker Desktop", "leave it out"),
    _refused("image", _NOT_IN_PROVIDER, "leave it out"),
)

BIND: Final = _table(
    _supported("propagation"),
    _ignored("create_host_path", "a swarm never makes the folder", "make it on the node"),
    _refused("recursive", _NOT_IN_PROVIDER, "leave it out"),
    _refused("selinux", _NOT_IN_PROVIDER, "leave it out"),
)

MOUNTED_VOLUME: Final = _table(
    _supported("nocopy"),
    _refused("labels", "they are the volume's", "say labels under volumes"),
    _refused("subpath", _NOT_IN_PROVIDER, "use a volume of its own"),
)

TMPFS: Final = _table(*_each("size mode"))
FILE_REFERENCE: Final = _table(*_each("source target mode uid gid"))

ATTACHMENT: Final = _table(
    _supported("aliases"),
    _refused("ipv4_address", "the swarm gives each task its own", "use the service's name"),
    _refused("ipv6_address", "the swarm gives each task its own", "use the service's name"),
    _refused("link_local_ips", _NO_SERVICE_FIELD, "leave it out"),
    _refused("mac_address", _NO_SERVICE_FIELD, "leave it out"),
    _refused("driver_opts", "an overlay has none for one service", "leave it out"),
    _refused("interface_name", _NO_SERVICE_FIELD, "leave it out"),
    _ignored("priority", _NO_SERVICE_FIELD, "leave it out"),
    _ignored("gw_priority", _NO_SERVICE_FIELD, "leave it out"),
)

NETWORK: Final = _table(
    *_each("name attachable internal labels"),
    _supported("external", "a network of this stack, by its name: that of a product or of another Compose file"),
    _supported("driver", "`overlay` alone"),
    _supported("driver_opts", "`encrypted` and `com.docker.network.driver.mtu` alone"),
    _refused("ipam", "the swarm cuts subnets from network.overlays, so that none collide", "leave it out"),
    _refused("enable_ipv4", "overlays are IPv4", "leave it out"),
    _refused("enable_ipv6", "overlays are IPv4", "leave it out"),
)

VOLUME: Final = _table(
    *_each("name driver_opts labels"),
    _supported("external", "a volume that exists on its node"),
    _supported("driver", "`local` alone; a block volume is one of `flotilla:volumes`"),
)

CONTENT: Final = _table(
    _supported("file", "read beside the Compose file"),
    _supported("external", "a secret's value is given with the settings or made there; a config's file too"),
    _supported("name", "of an external one; others are named after their content"),
    _supported("content", "configs alone: a secret is not written into a file"),
    _refused("environment", "the program reads no environment", "use file, or external"),
    _ignored("labels", "the name says whose it is", "leave it out"),
    _refused("driver", "the swarm keeps it itself", "leave it out"),
    _refused("driver_opts", "the swarm keeps it itself", "leave it out"),
    _refused("template_driver", _NOT_IN_PROVIDER, "write the content out"),
)

SECTIONS: Final[Mapping[str, Table]] = {
    "the file": TOP,
    "services.x": SERVICE,
    "services.x.deploy": DEPLOY,
    "services.x.deploy.placement": PLACEMENT,
    "services.x.deploy.resources": RESOURCES,
    "services.x.deploy.resources.limits": LIMITS,
    "services.x.deploy.resources.reservations": RESERVATIONS,
    "services.x.deploy.update_config, rollback_config": ROLLOUT,
    "services.x.deploy.restart_policy": RESTART,
    "services.x.healthcheck": HEALTHCHECK,
    "services.x.logging": LOGGING,
    "services.x.networks.y": ATTACHMENT,
    "services.x.ports[]": PORT,
    "services.x.volumes[]": MOUNT,
    "services.x.volumes[].bind": BIND,
    "services.x.volumes[].volume": MOUNTED_VOLUME,
    "services.x.volumes[].tmpfs": TMPFS,
    "services.x.secrets[], configs[]": FILE_REFERENCE,
    "networks.y": NETWORK,
    "volumes.y": VOLUME,
    "secrets.y, configs.y": CONTENT,
}
