"""The settings that belong to one cloud alone: where, in which zones, from which image, behind which network."""

from typing import Annotated, Literal

from pydantic import Field

from components.storage.profiles import Profile
from stacks import patterns
from stacks.section import Cidr, Section, Size

Zone = Annotated[str, Field(pattern=patterns.ZONE_NAME)]


class PoolSettings(Section):
    """Bounds of the autoscaling group, when `workers.pool` is on."""

    maximum: int | None = Field(
        default=None, ge=1, le=10_000, description="Most machines; as many as `workers.count` when not given."
    )
    drain_seconds: int = Field(
        default=900, ge=60, le=7200, description="How long a machine that is to go may take to give up its tasks."
    )


class AwsImageSettings(Section):
    """The machine image (M9). A public parameter gives the newest; machines that run keep theirs."""

    parameter: str | None = Field(
        default=None,
        pattern=patterns.PARAMETER_NAME,
        description="Public parameter of Systems Manager that holds an AMI; that of Debian 12 when not given.",
    )
    ami: str | None = Field(default=None, pattern=patterns.AMI, description="An AMI by its id, instead of a parameter.")
    architecture: Literal["amd64", "arm64"] = "amd64"
    user: str = Field(default="admin", pattern=patterns.USER_NAME, description="The user that may log in.")
    engine: Literal["install", "included"] = Field(
        default="install", description="Whether Docker is installed at the first boot, or in the image."
    )

    @property
    def source(self) -> str:
        """The parameter that is given, else the one in which Debian publishes its newest image of the architecture."""
        return self.parameter or f"/aws/service/debian/release/12/latest/{self.architecture}"


class AwsSettings(Section):
    """Amazon EC2."""

    region: str = Field(default="us-east-1", pattern=patterns.REGION)
    zones: list[Zone] = Field(default_factory=list, description="1 to 3 zones; a, b and c of the region if not given.")
    subnets: Literal["private", "public"] | None = Field(
        default=None,
        description="Where the machines are: `public` with `ssh.access: direct` (no NAT), else `private`.",
    )
    nat: Literal["none", "one", "per_zone"] | None = Field(
        default=None, description="NAT gateways of private subnets: `one` unless said otherwise."
    )
    image: AwsImageSettings = Field(default_factory=AwsImageSettings)
    bastion_type: str = Field(default="t3.micro", pattern=patterns.TYPE_NAME)
    pool: PoolSettings = Field(default_factory=PoolSettings)
    tags: dict[str, str] = Field(default_factory=dict, description="Tags of everything, beside those of the stack.")


class OpenstackImageSettings(Section):
    """The machine image in Glance."""

    name: str = Field(default="debian-12", pattern=patterns.NOT_EMPTY)
    user: str = Field(default="debian", pattern=patterns.USER_NAME, description="The user that may log in.")
    engine: Literal["install", "included"] = "install"


class BootVolumeSettings(Section):
    """A root disk in Cinder instead of on the hypervisor."""

    size: Size = "20g"
    type: str | None = Field(default=None, pattern=patterns.NOT_EMPTY, description="A Cinder volume type.")


class OpenstackSettings(Section):
    """An OpenStack cloud; credentials come from clouds.yaml or the environment (OS_*), application credentials too."""

    cloud: str | None = Field(default=None, pattern=patterns.NOT_EMPTY, description="Name in clouds.yaml.")
    region: str | None = Field(default=None, pattern=patterns.NOT_EMPTY)
    zones: list[Zone] = Field(default_factory=lambda: ["nova"], description="Availability zones of Nova.")
    volume_zone: str | None = Field(
        default=None,
        pattern=patterns.NOT_EMPTY,
        description="Availability zone of Cinder, where its zones are not named as Nova's.",
    )
    external_network: str = Field(default="public", pattern=patterns.NOT_EMPTY)
    image: OpenstackImageSettings = Field(default_factory=OpenstackImageSettings)
    boot_volume: BootVolumeSettings | None = None
    bastion_flavor: str = Field(default="m1.small", pattern=patterns.TYPE_NAME)
    manager_policy: Literal["anti-affinity", "soft-anti-affinity"] = Field(
        default="anti-affinity",
        description="Server group policy of the managers: `soft-anti-affinity` where there are fewer hosts than those.",
    )
    volume_types: dict[Profile, str] = Field(
        default_factory=dict, description="Cinder's volume type for each profile; the default type where not given."
    )
    allowed_addresses: list[Cidr] = Field(
        default_factory=list, description="Other addresses that machines may send from (allowed address pairs)."
    )
    nameservers: list[Annotated[str, Field(pattern=patterns.IPV4_ADDRESS)]] = Field(default_factory=list)
