"""A machine on EC2. One whose address others know by heart (a manager, a bastion, a load balancer) has a network
interface of its own, which outlives it; a worker is one resource, since a cluster may have a thousand."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.clouds.aws.user_data import LONGEST_USER_DATA, encode_user_data
from components.clouds.cloud import MachineKind
from components.component import Component


@dataclass(frozen=True, kw_only=True)
class InstanceArgs:
    """`kind` says what the machine is for, `key` its name in the plan; `address` is its fixed private address in
    `subnet_id`; `public` gives it a public one beside. With `follows_ami`, another `ami` replaces a machine that is no
    node. `profile_name` is an instance profile, None for a machine that may do nothing in AWS; `user_data` is text."""

    key: str
    kind: MachineKind
    physical_name: str
    type: str
    ami: pulumi.Input[str]
    follows_ami: bool
    address: str
    subnet_id: pulumi.Input[str]
    group_ids: tuple[pulumi.Input[str], ...]
    public: bool
    key_name: pulumi.Input[str]
    profile_name: pulumi.Input[str] | None
    user_data: str
    root_disk_gib: int
    protect: bool
    provider: aws.Provider

    @property
    def is_node(self) -> bool:
        """Whether the machine is one of the swarm's."""
        return self.kind in ("manager", "worker")

    @property
    def protected(self) -> bool:
        """Managers hold the state of the swarm."""
        return self.protect and self.kind == "manager"

    @property
    def ignored(self) -> list[str]:
        """Properties whose change does nothing to the machine.

        What a node is told at its first boot it never reads again, and a new machine has lost the old one's Docker
        data: another image, or other settings in the user data, would replace all nodes at once, and with the managers
        their majority. So a change is for machines that are made from then on, and for those replaced on purpose, one
        after another (`pulumi up --replace`, which takes the new values). A bastion or a load balancer has nothing to
        lose, and its configuration is nowhere else; but an AMI that is the newest of a series changes when its
        publisher likes, and must replace nobody.
        """
        if self.is_node:
            return ["ami", "userData", "userDataBase64", "keyName"]
        return [] if self.follows_ami else ["ami"]


class Instance(Component):
    """Network interface, public address and machine."""

    token = "flotilla:aws:Instance"
    declares = ("machine", "private_address", "public_address")

    machine: aws.ec2.Instance
    private_address: str
    public_address: pulumi.Output[str]

    def __init__(self, name: str, args: InstanceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._tags = {"Name": args.physical_name}
        interface = None if args.kind == "worker" else self._interface(args)
        elastic = self._elastic_address(args, interface) if interface is not None and args.public else None
        # By way of the Elastic IP, since the first boot installs packages through it.
        interface_id = elastic.network_interface if elastic else interface.id if interface else None
        machine = self._machine(args, interface_id)
        self.publish(
            machine=machine,
            private_address=args.address,
            public_address=elastic.public_ip if elastic else machine.public_ip,
        )

    def _interface(self, args: InstanceArgs) -> aws.ec2.NetworkInterface:
        return aws.ec2.NetworkInterface(
            self.child_name("address"),
            subnet_id=args.subnet_id,
            private_ips=[args.address],
            security_groups=list(args.group_ids),
            description=args.physical_name,
            tags=self._tags,
            # No two interfaces have one address.
            opts=self.child(provider=args.provider, delete_before_replace=True),
        )

    def _elastic_address(self, args: InstanceArgs, interface: aws.ec2.NetworkInterface) -> aws.ec2.Eip:
        """On the interface, not the machine: it stays when the machine is replaced."""
        return aws.ec2.Eip(
            self.child_name("public"),
            domain="vpc",
            network_interface=interface.id,
            tags=self._tags,
            opts=self.child(provider=args.provider),
        )

    def _machine(self, args: InstanceArgs, interface_id: pulumi.Output[str] | None) -> aws.ec2.Instance:
        """The interface brings subnet, address and groups; without one, the machine has them itself."""
        by_itself = interface_id is None
        # As text as long as that fits: previews show it.
        fits = len(args.user_data.encode()) <= LONGEST_USER_DATA
        return aws.ec2.Instance(
            self.child_name("machine"),
            ami=args.ami,
            instance_type=args.type,
            key_name=args.key_name,
            iam_instance_profile=args.profile_name,
            primary_network_interface=None
            if interface_id is None
            else aws.ec2.InstancePrimaryNetworkInterfaceArgs(network_interface_id=interface_id),
            subnet_id=args.subnet_id if by_itself else None,
            private_ip=args.address if by_itself else None,
            vpc_security_group_ids=list(args.group_ids) if by_itself else None,
            associate_public_ip_address=args.public if by_itself else None,
            # Sessions alone (IMDSv2), one hop: containers on bridge networks do not get to the machine's credentials.
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
                volume_type="gp3", volume_size=args.root_disk_gib, encrypted=True, delete_on_termination=True
            ),
            user_data=args.user_data if fits else None,
            user_data_base64=None if fits else encode_user_data(args.user_data, machine=args.key),
            # Else EC2 would stop and start the machine, and nothing would come of it: it is read at the first boot.
            user_data_replace_on_change=not args.is_node,
            disable_api_termination=args.protected,
            # That is for other tools: what Pulumi may delete after `protect` is off, the provider has to end as well.
            force_destroy=args.protected,
            tags=self._tags,
            opts=self.child(
                provider=args.provider,
                # Its address, or its interface, can be on one machine at a time.
                delete_before_replace=True,
                ignore_changes=args.ignored,
                # A preview refuses to replace it, before anything is touched.
                protect=args.protected,
            ),
        )
