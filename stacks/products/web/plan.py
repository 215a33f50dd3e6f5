"""What the settings of the page come to."""

from collections.abc import Mapping, Sequence

from components.plan.placement import Demand, PlanNode, check_placement
from stacks.products.product import Product, memory_limit
from stacks.products.web.settings import WebSettings
from stacks.settings import Settings


class WebProduct(Product):
    """nginx (M50)."""

    name = "web"

    def images(self, settings: Settings) -> tuple[str, ...]:
        del settings
        return ("nginx",)

    def ports(self, settings: Settings) -> Mapping[str, int]:
        return {"web": web_settings(settings).port}

    def overlays(self, settings: Settings) -> Mapping[str, int]:
        return {"web": web_settings(settings).replicas}

    def check(self, settings: Settings, nodes: Sequence[PlanNode]) -> None:
        web = web_settings(settings)
        memory_limit(web.memory, field="services.web.memory")
        check_placement(Demand(service="web", replicas=web.replicas), nodes)


def web_settings(settings: Settings) -> WebSettings:
    """The settings of a page that is wanted."""
    assert settings.services.web is not None
    return settings.services.web
