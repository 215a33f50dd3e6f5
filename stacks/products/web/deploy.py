"""From settings to the component of the page."""

from components.plan.sizes import parse_size
from components.services.web import Web, WebArgs
from stacks.products.platform import Deployed, Platform
from stacks.products.web.plan import web_settings


def deploy_web(platform: Platform) -> Deployed:
    """The page and its route."""
    web = web_settings(platform.settings)
    site = Web(
        "web",
        WebArgs(
            replicas=web.replicas,
            port=web.port,
            memory=parse_size(web.memory, field="services.web.memory"),
            publish_mode=platform.publish_mode,
            cluster=platform.swarm,
            images=platform.images,
        ),
    )
    return Deployed(routes=(site.route,), networks={site.overlay.key: site.overlay.network_id})
