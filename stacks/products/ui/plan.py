"""What can be wrong with the settings of the management page, refused before any resource exists, and what they come
to."""

from collections.abc import Iterator, Mapping, Sequence

from components.plan.errors import PlanError
from components.plan.placement import PlanNode
from components.plan.sizes import MIB
from stacks.products.product import Product, adopted_volume, check_data_node, check_least_memory
from stacks.products.ui.settings import UiSettings
from stacks.settings import Settings, VolumeSettings

UI_VOLUME = "ui"
DEFAULT_NODE = "worker-1"
PORTAINER = "portainer"
_FIELD = "services.ui"
_LEAST_MEMORY = {True: 128, False: 48}
"""In MiB, for Portainer and for the page built here: about twice of what each has when it rests."""


class UiProduct(Product):
    """A page to look at the swarm with (M142-M143)."""

    name = "ui"

    def images(self, settings: Settings) -> tuple[str, ...]:
        return (PORTAINER if has_portainer(settings) else "ui", "haproxy")

    def ports(self, settings: Settings) -> Mapping[str, int]:
        return {"ui": ui_settings(settings).port}

    def overlays(self, settings: Settings) -> Mapping[str, int]:
        del settings
        return {"ui": 1, "ui-socket-proxy": 2}

    def check(self, settings: Settings, nodes: Sequence[PlanNode]) -> None:
        ui, portainer = ui_settings(settings), has_portainer(settings)
        check_least_memory(
            ui.memory,
            _LEAST_MEMORY[portainer] * MIB,
            field=f"{_FIELD}.memory",
            problem="too little for Portainer" if portainer else "too little for the page",
        )
        if ui.access == "write" and not portainer:
            raise PlanError(
                field=f"{_FIELD}.access",
                value=ui.access,
                problem="the page built here only reads",
                fix=f"leave it out, or name images.{PORTAINER} by digest",
            )
        node = ui_volume(settings).node if portainer else ui.node
        if node is not None:
            check_data_node(node, nodes, service="ui", field=f"{_FIELD}.node")

    def warnings(self, settings: Settings, nodes: Sequence[PlanNode]) -> Iterator[str]:
        del nodes
        ui = ui_settings(settings)
        if ui.access == "write":
            yield (
                f"{_FIELD}.access is write: whoever has Portainer's password can start anything on any node, as root "
                "there; let only those have it who may that"
            )
        if settings.cloud != "local":
            yield (
                f"{_FIELD}.port is {ui.port}: the password goes there without TLS, and everybody may try one; let a "
                "network of yours alone reach the load balancer"
            )

    def volumes(self, settings: Settings) -> Mapping[str, VolumeSettings]:
        return {UI_VOLUME: ui_volume(settings)} if has_portainer(settings) else {}


def ui_settings(settings: Settings) -> UiSettings:
    """The settings of a page that is wanted."""
    assert settings.services.ui is not None
    return settings.services.ui


def has_portainer(settings: Settings) -> bool:
    """Whether the image of Portainer is named, which cannot be built here."""
    return PORTAINER in settings.images


def ui_volume(settings: Settings) -> VolumeSettings:
    """The volume of Portainer: as the settings declare it, else one on the node that they name."""
    node = ui_settings(settings).node
    return adopted_volume(
        settings,
        UI_VOLUME,
        node=node,
        field=f"{_FIELD}.node",
        otherwise=VolumeSettings(node=node or DEFAULT_NODE, size="10g"),
    )
