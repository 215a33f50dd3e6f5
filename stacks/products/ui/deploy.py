"""From settings to the component of the management page."""

from components.plan.sizes import parse_size
from components.services.management_ui import ManagementUi, ManagementUiArgs
from stacks.products.platform import Deployed, Platform
from stacks.products.ui.plan import UI_VOLUME, has_portainer, ui_settings


def deploy_ui(platform: Platform) -> Deployed:
    """The page, and the password of its administrator as an output."""
    ui = ui_settings(platform.settings)
    portainer = has_portainer(platform.settings)
    made = ManagementUi(
        "ui",
        ManagementUiArgs(
            port=ui.port,
            memory=parse_size(ui.memory, field="services.ui.memory"),
            # Portainer is where its volume is.
            node="" if portainer else ui.node or "",
            access=ui.access,
            volume=platform.volumes[UI_VOLUME] if portainer else None,
            publish_mode=platform.publish_mode,
            cluster=platform.swarm,
            images=platform.images,
        ),
    )
    overlays = (made.overlay, made.proxy.overlay)
    return Deployed(
        routes=(made.route,),
        networks={overlay.key: overlay.network_id for overlay in overlays},
        outputs={"ui_password": made.password},
    )
