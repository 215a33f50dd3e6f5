"""One machine of the local cloud: a container that boots systemd, sshd, cloud-init and a Docker engine of its own."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
import pulumi_tls as tls

from components.clouds.local.network import NODES_ALIAS, Network
from components.component import Component
from components.machine import Machine, MachineSpec, SshEndpoint

_SEED = "/var/lib/cloud/seed/nocloud"
_HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
_CPU_PERIOD_MICROSECONDS = 100_000


@dataclass(frozen=True, kw_only=True)
class InstanceArgs:
    """`user_data` is the same for every machine; `capabilities` are the kernel's names (`CAP_NET_ADMIN`)."""

    spec: MachineSpec
    physical_name: str
    image: str
    address: str
    ssh_port: int
    user_data: pulumi.Input[str]
    capabilities: tuple[str, ...]
    protect: bool
    network: Network
    labels: tuple[tuple[str, str], ...]
    provider: docker.Provider
    tls_provider: tls.Provider


class Instance(Component):
    """A machine container, its SSH host key and the volume of its Docker engine.

    The volume outlives the container: a machine whose container is replaced comes back as the same node of the swarm.
    """

    token = "flotilla:local:Instance"
    declares = ("machine", "container_id", "volume_name")

    machine: Machine
    container_id: pulumi.Output[str]
    volume_name: pulumi.Output[str]

    def __init__(self, name: str, args: InstanceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        host_key = tls.PrivateKey(
            self.child_name("host-key"), algorithm="ED25519", opts=self.child(provider=args.tls_provider)
        )
        volume = docker.Volume(
            self.child_name("docker"),
            name=args.physical_name,
            labels=[docker.VolumeLabelArgs(label=key, value=value) for key, value in args.labels],
            opts=self.child(provider=args.provider, protect=args.protect),
        )
        container = self._container(args, host_key, volume)
        machine = Machine(
            spec=args.spec,
            private_address=args.address,
            identity=container.id,
            endpoint=SshEndpoint(
                address="127.0.0.1",
                port=container.name.apply(lambda _: args.ssh_port),
                user="root",
                host_key=host_key.public_key_openssh.apply(str.strip),
            ),
        )
        self.publish(machine=machine, container_id=container.id, volume_name=volume.name)

    def _container(self, args: InstanceArgs, host_key: tls.PrivateKey, volume: docker.Volume) -> docker.Container:
        memory_mib = args.spec.memory_bytes // 2**20
        return docker.Container(
            self.child_name("container"),
            name=args.physical_name,
            hostname=args.spec.name,
            image=args.image,
            restart="unless-stopped",
            stop_timeout=10,
            envs=["container=docker"],
            labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in args.labels],
            capabilities=docker.ContainerCapabilitiesArgs(adds=list(args.capabilities)),
            security_opts=["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"],
            cgroupns_mode="host",
            tmpfs={"/run": "rw,exec", "/tmp": "rw,exec"},  # noqa: S108 - the machine's own, not this computer's
            # A quota is changed in place; `cpus` would replace the machine.
            cpu_period=_CPU_PERIOD_MICROSECONDS,
            cpu_quota=int(args.spec.cpus * _CPU_PERIOD_MICROSECONDS),
            memory=memory_mib,
            memory_swap=memory_mib,
            log_driver="local",
            mounts=[
                docker.ContainerMountArgs(type="bind", source="/sys/fs/cgroup", target="/sys/fs/cgroup"),
                docker.ContainerMountArgs(type="volume", source=volume.name, target="/var/lib/docker"),
            ],
            uploads=self._uploads(args, host_key),
            ports=[docker.ContainerPortArgs(internal=22, external=args.ssh_port, ip="127.0.0.1")],
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(
                    name=args.network.network_name, ipv4_address=args.address, aliases=[NODES_ALIAS]
                )
            ],
            # pulumi-docker does not read `systempaths` back, but does read an image's own HEALTHCHECK.
            opts=self.child(provider=args.provider, ignore_changes=["securityOpts", "healthcheck"]),
        )

    def _uploads(self, args: InstanceArgs, host_key: tls.PrivateKey) -> list[docker.ContainerUploadArgs]:
        meta_data = json.dumps({"instance-id": args.spec.name, "local-hostname": args.spec.name}) + "\n"
        return [
            docker.ContainerUploadArgs(file=f"{_SEED}/meta-data", content=meta_data),
            docker.ContainerUploadArgs(file=f"{_SEED}/user-data", content=args.user_data, permissions="0600"),
            docker.ContainerUploadArgs(file=_HOST_KEY, content=host_key.private_key_openssh, permissions="0600"),
            docker.ContainerUploadArgs(
                file=f"{_HOST_KEY}.pub", content=host_key.public_key_openssh, permissions="0644"
            ),
        ]
