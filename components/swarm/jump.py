"""The one machine that leads to the others where they have no public address: it answers, its host key is recorded at
first contact, and every other ssh goes through it with that key required."""

from dataclasses import dataclass

import pulumi

from components.component import Component
from components.swarm import resources as swarm
from components.swarm.endpoint import jump_command


@dataclass(frozen=True, kw_only=True)
class JumpHostArgs:
    """`address` is public, `identity` the id of the machine behind it; `identity_file` is a path, never a key; `anchor`
    is what takes the machine along when it goes."""

    address: pulumi.Input[str]
    identity: pulumi.Input[str]
    user: str
    identity_file: str
    anchor: pulumi.Resource


class JumpHost(Component):
    """A bastion that answers."""

    token = "flotilla:swarm:JumpHost"
    declares = ("host", "address", "proxy_command")

    host: swarm.Host
    address: pulumi.Output[str]
    proxy_command: pulumi.Output[str]

    def __init__(self, name: str, args: JumpHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        plugin = swarm.Provider(self.child_name("plugin"), identity_file=args.identity_file, opts=self.child())
        host = swarm.Host(
            self.child_name("host"),
            connection=swarm.ConnectionArgs(address=args.address, port=22, user=args.user),
            triggers={"machine": args.identity},
            opts=self.child(provider=plugin, deleted_with=args.anchor),
        )
        command = host.connection.apply(
            lambda known: jump_command(args.identity_file, args.user, known.address, known.host_key)
        )
        self.publish(host=host, address=host.connection.apply(lambda known: known.address), proxy_command=command)
