"""From settings to the component of the users' own registry."""

from components.services.registry import LOOPBACK, Registry, RegistryArgs
from stacks.products.platform import Deployed, Platform
from stacks.products.registry.plan import REGISTRY_VOLUME, registry_memory, registry_settings

EVERYWHERE = "0.0.0.0"  # noqa: S104 - compared with, not listened on


def deploy_registry(platform: Platform) -> Deployed:
    """The registry, and as outputs what a client has to know of it."""
    registry = registry_settings(platform.settings)
    made = Registry(
        "registry",
        RegistryArgs(
            user=registry.user,
            rotation=registry.rotation,
            names=(*registry.names, *_balancer(platform)),
            port=registry.port,
            memory=registry_memory(registry),
            volume=platform.volumes[REGISTRY_VOLUME],
            publish_mode=platform.publish_mode,
            cluster=platform.swarm,
            images=platform.images,
        ),
    )
    return Deployed(
        routes=(made.route,),
        networks={made.overlay.key: made.overlay.network_id},
        outputs={
            "registry_address": made.service.service_name.apply(lambda _: f"{LOOPBACK}:{registry.port}"),
            "registry_user": registry.user,
            "registry_password": made.password,
            "registry_authority": made.authority,
        },
    )


def _balancer(platform: Platform) -> tuple[str, ...]:
    """The address of the load balancer where the settings say it; in a cloud it is known too late."""
    settings = platform.settings
    listens = settings.load_balancer.address
    return (listens,) if settings.cloud == "local" and listens != EVERYWHERE else ()
