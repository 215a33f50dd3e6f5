"""What rented machines boot: the one machine contract with the settings of a stack, the same on every cloud."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from components.clouds.cloud import RentedCloudArgs
from components.machine import UserData, render_user_data
from components.services import haproxy
from components.services.route import Route

HAPROXY_FILE = "/etc/haproxy/haproxy.cfg"


def node_user_data(
    args: RentedCloudArgs,
    host_name: str | None,
    *,
    mtu: int | None = None,
    packages: tuple[str, ...] = (),
    files: Mapping[str, str] | None = None,
    commands: tuple[str, ...] = (),
) -> str:
    """User data of a node; `host_name` is None where the cloud gives the name, `mtu` is said where only the network
    knows it."""
    return render_user_data(
        UserData(
            ssh_public_keys=(args.ssh_public_key,),
            engine=args.engine if mtu is None else replace(args.engine, mtu=mtu),
            registry_authorities=args.registry_authorities,
            user=args.ssh_user,
            host_name=host_name,
            packages=packages,
            files=files or {},
            commands=commands,
        )
    )


def beside_user_data(
    args: RentedCloudArgs,
    *,
    packages: tuple[str, ...] = (),
    files: Mapping[str, str] | None = None,
    commands: tuple[str, ...] = (),
) -> str:
    """User data of a machine beside the swarm: a bastion, a load balancer."""
    return render_user_data(
        UserData(
            ssh_public_keys=(args.ssh_public_key,),
            engine=None,
            user=args.ssh_user,
            packages=packages,
            files=files or {},
            commands=commands,
        )
    )


def balancer_user_data(
    args: RentedCloudArgs,
    routes: Sequence[Route],
    *,
    packages: tuple[str, ...] = (),
    commands: tuple[str, ...] = (),
) -> str:
    """User data of the machine with HAProxy, with its configuration: every node a checked backend (E16)."""
    nodes = {spec.name: args.addresses[spec.name] for spec in args.specs}
    frontends = [
        haproxy.Frontend(
            name=route.service,
            port=route.published,
            health_path=route.health_path,
            secure=route.secure,
            backend="nodes",
            backend_port=route.published,
            expected=len(nodes),
            servers=nodes,
        )
        for route in routes
    ]
    configuration = haproxy.render(frontends, statistics_port=args.statistics_port)
    return beside_user_data(
        args,
        packages=("haproxy", *packages),
        files={HAPROXY_FILE: configuration},
        # The package keeps the file that was there before it, but has not read it where it was started first.
        commands=("systemctl restart haproxy", *commands),
    )
