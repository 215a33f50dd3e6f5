"""Which cloud a stack is on: the arguments of each, from settings and plan. A cloud's SDK is imported only where it is
used, since AWS's alone takes a second."""

from components.clouds.cloud import Cloud, ImageSource, RentedCloudArgs
from components.clouds.local.cloud import LocalCloud, LocalCloudArgs
from stacks.load import Inputs
from stacks.plan import Plan
from stacks.rented import RentedPlan


def make_cloud(inputs: Inputs, plan: Plan) -> Cloud:
    """The cloud of the stack, with its machines; PlanError for what only this cloud refuses."""
    if plan.rented is None:
        return LocalCloud("local", _local(inputs, plan))
    return _aws(inputs, plan, plan.rented) if inputs.settings.cloud == "aws" else _openstack(inputs, plan, plan.rented)


def _local(inputs: Inputs, plan: Plan) -> LocalCloudArgs:
    settings = inputs.settings
    if inputs.images is None:
        raise AssertionError("the local cloud is loaded with the built images")
    return LocalCloudArgs(
        prefix=plan.prefix,
        specs=plan.specs,
        addresses=plan.addresses,
        engine=plan.engine,
        images=inputs.images,
        upstream=settings.images,
        docker_host=settings.local.docker_host,
        capabilities=inputs.capabilities,
        ssh_public_key=inputs.ssh_public_key,
        first_port=settings.ssh.first_port,
        listen=settings.load_balancer.address,
        statistics_port=settings.load_balancer.statistics_port,
        protect=settings.protect,
    )


def _aws(inputs: Inputs, plan: Plan, rented: RentedPlan) -> Cloud:
    from components.clouds.aws.cloud import AwsCloud, AwsCloudArgs, AwsImage, Pool  # noqa: PLC0415

    settings = inputs.settings.aws
    workers = inputs.settings.workers
    pool = Pool(
        count=workers.count,
        maximum=settings.pool.maximum or workers.count,
        drain_seconds=settings.pool.drain_seconds,
        labels=workers.labels,
    )
    return AwsCloud(
        "aws",
        AwsCloudArgs(
            rented=_rented(inputs, plan, rented, user=settings.image.user),
            network=str(plan.addresses.machine_network),
            zones=rented.zone_subnets,
            region=settings.region,
            subnets=rented.subnets,
            nat=rented.nat,
            image=AwsImage(parameter=settings.image.source, ami=settings.image.ami),
            mtu=inputs.settings.network.mtu,
            pool=pool if workers.pool else None,
            tags=settings.tags,
        ),
    )


def _openstack(inputs: Inputs, plan: Plan, rented: RentedPlan) -> Cloud:
    from components.clouds.openstack.cloud import BootVolume, OpenstackCloud, OpenstackCloudArgs  # noqa: PLC0415

    settings = inputs.settings.openstack
    boot = settings.boot_volume
    return OpenstackCloud(
        "openstack",
        OpenstackCloudArgs(
            rented=_rented(inputs, plan, rented, user=settings.image.user),
            network=str(plan.addresses.machine_network),
            gateway=plan.addresses.gateway,
            cloud=settings.cloud,
            region=settings.region,
            image=settings.image.name,
            external_network=settings.external_network,
            boot_volume=BootVolume(size_gib=rented.boot_volume_gib, type=boot.type)
            if boot is not None and rented.boot_volume_gib is not None
            else None,
            manager_policy=settings.manager_policy,
            volume_types=settings.volume_types,
            volume_zone=settings.volume_zone,
            allowed_addresses=tuple(settings.allowed_addresses),
            nameservers=tuple(settings.nameservers),
            mtu=inputs.settings.network.mtu,
        ),
    )


def _rented(inputs: Inputs, plan: Plan, rented: RentedPlan, *, user: str) -> RentedCloudArgs:
    settings = inputs.settings
    registry = settings.registry.address or ""
    return RentedCloudArgs(
        prefix=plan.prefix,
        specs=plan.specs,
        addresses=rented.addresses,
        rules=plan.rules,
        admin_networks=rented.admin_networks,
        access=rented.access,
        engine=plan.engine,
        ssh_public_key=inputs.ssh_public_key,
        ssh_user=user,
        identity_file=inputs.identity_file,
        types={kind: type_.name for kind, type_ in rented.types.items()},
        root_disk_gib=rented.root_disk_gib,
        balancer=rented.balancer,
        statistics_port=settings.load_balancer.statistics_port,
        images=ImageSource(registry=registry, images=inputs.service_images, upstream=settings.images),
        registry_authorities={registry: inputs.registry_authority} if inputs.registry_authority else {},
        protect=settings.protect,
    )
