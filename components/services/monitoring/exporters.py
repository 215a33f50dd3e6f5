"""Services that measure: the machine, its engine and containers on every node, and the state of the swarm. None asks
for a password; nobody but Prometheus has a reason to be on their overlay."""

from dataclasses import dataclass

import pulumi

from components.clouds.cloud import ImageSource
from components.services.container import ContainerOptions
from components.services.monitoring import names
from components.services.service import Healthcheck, SwarmServiceArgs, UpdatePolicy
from components.storage.volume import Mount
from components.swarm.cluster import Swarm

_SOCKET = "/var/run/docker.sock"
_MEBIBYTE = 2**20
_ALL_NODES = UpdatePolicy(order="stop-first", parallelism=5)
_WHITELISTED = ",".join(
    f"com.docker.swarm.{label}" for label in ("node.id", "service.id", "service.name", "task.id", "task.name")
)


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What all exporters have in common. `engine_metrics` is the `host:port` where a container finds the metrics of its
    own node's engine; `cadvisor` says whether containers are measured by cAdvisor in place of our own exporter."""

    overlay_id: pulumi.Output[str]
    sockets_id: pulumi.Output[str]
    docker_host: pulumi.Output[str]
    engine_metrics: str
    cadvisor: bool
    cluster: Swarm
    images: ImageSource


def node_exporter(measuring: Measuring) -> SwarmServiceArgs:
    """Of each machine: processors, memory, file systems. Without its folders it would tell of its container (E14)."""
    return SwarmServiceArgs(
        name=names.NODE_EXPORTER,
        image="node-exporter",
        container=ContainerOptions(command=("node-exporter-start",), read_only=True, cap_drop=("ALL",)),
        replicas=None,
        memory=64 * _MEBIBYTE,
        cpus=0.25,
        healthcheck=_answers(f"http://127.0.0.1:{names.NODE_EXPORTER_PORT}/metrics"),
        networks={names.OVERLAY: measuring.overlay_id},
        mounts=(
            Mount(type="bind", source="/proc", target="/host/proc", read_only=True),
            Mount(type="bind", source="/sys", target="/host/sys", read_only=True),
            # A file system that is mounted later is seen too.
            Mount(type="bind", source="/", target="/host/root", read_only=True, propagation="rslave"),
        ),
        labels=_asked(names.NODE_JOB, names.NODE_EXPORTER_PORT),
        update=_ALL_NODES,
        cluster=measuring.cluster,
        images=measuring.images,
    )


def engine_exporter(measuring: Measuring) -> SwarmServiceArgs:
    """Of each machine: containers, unless cAdvisor measures them, the engine's metrics, certificate and Raft log."""
    socket = () if measuring.cadvisor else (Mount(type="bind", source=_SOCKET, target=_SOCKET, read_only=True),)
    engine: dict[str, pulumi.Input[str]] = {} if measuring.cadvisor else {"DOCKER_HOST": f"unix://{_SOCKET}"}
    return SwarmServiceArgs(
        name=names.ENGINE_EXPORTER,
        image="exporter",
        # Root without capabilities is nothing but the owner of the socket and of the swarm's folder.
        container=ContainerOptions(command=("exporter-start", "node"), user="0:0", read_only=True, cap_drop=("ALL",)),
        replicas=None,
        memory=96 * _MEBIBYTE,
        cpus=0.5,
        healthcheck=_answers(f"http://127.0.0.1:{names.EXPORTER_PORT}/healthz"),
        networks={names.OVERLAY: measuring.overlay_id},
        environment={
            **engine,
            "ENGINE_METRICS": measuring.engine_metrics,
            "SWARM_FOLDER": "/host/swarm",
            "NETWORK_FILE": "/host/proc/1/net/dev",
        },
        mounts=(
            *socket,
            Mount(type="bind", source="/proc", target="/host/proc", read_only=True),
            Mount(type="bind", source="/var/lib/docker/swarm", target="/host/swarm", read_only=True),
        ),
        labels=_asked(names.MACHINE_JOB, names.EXPORTER_PORT),
        update=_ALL_NODES,
        init=True,
        cluster=measuring.cluster,
        images=measuring.images,
    )


def swarm_exporter(measuring: Measuring) -> SwarmServiceArgs:
    """Of the swarm, as a manager has it: nodes, managers, services."""
    return SwarmServiceArgs(
        name=names.SWARM_EXPORTER,
        image="exporter",
        container=ContainerOptions(command=("exporter-start", "swarm"), read_only=True, cap_drop=("ALL",)),
        replicas=1,
        memory=96 * _MEBIBYTE,
        cpus=0.5,
        # A manager that was lost is still asked for a while, and another task would do no better.
        healthcheck=Healthcheck(
            test=("curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{names.EXPORTER_PORT}/healthz"),
            interval="10s",
            timeout="10s",
            retries=6,
        ),
        networks={names.OVERLAY: measuring.overlay_id, names.SOCKETS: measuring.sockets_id},
        environment={"DOCKER_HOST": measuring.docker_host},
        init=True,
        cluster=measuring.cluster,
        images=measuring.images,
    )


def cadvisor(measuring: Measuring) -> SwarmServiceArgs:
    """cAdvisor (M137), where the settings name its image: the folders are those that its documents ask for."""
    return SwarmServiceArgs(
        name=names.CADVISOR,
        image="cadvisor",
        container=ContainerOptions(
            command=(
                "--docker_only=true",
                "--store_container_labels=false",
                f"--whitelisted_container_labels={_WHITELISTED}",
            )
        ),
        replicas=None,
        memory=256 * _MEBIBYTE,
        cpus=0.5,
        healthcheck=Healthcheck(
            test=("wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{names.CADVISOR_PORT}/healthz"), interval="10s"
        ),
        networks={names.OVERLAY: measuring.overlay_id},
        mounts=tuple(
            Mount(type="bind", source=source, target=target, read_only=True)
            for source, target in {
                "/": "/rootfs",
                "/var/run": "/var/run",
                "/sys": "/sys",
                "/var/lib/docker": "/var/lib/docker",
            }.items()
        ),
        labels=_asked(names.CONTAINERS_JOB, names.CADVISOR_PORT),
        update=_ALL_NODES,
        cluster=measuring.cluster,
        images=measuring.images,
    )


def _asked(job: str, port: int) -> dict[str, str]:
    return {names.JOB_LABEL: job, names.PORT_LABEL: str(port)}


def _answers(url: str) -> Healthcheck:
    # Each check starts a process on every node.
    return Healthcheck(test=("curl", "-fsS", "-o", "/dev/null", url), interval="10s", timeout="5s")
