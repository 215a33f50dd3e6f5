"""All products, and what they come to together."""

from collections import Counter
from collections.abc import Mapping

from stacks.products.hadoop.plan import HadoopProduct
from stacks.products.monitoring.plan import MonitoringProduct
from stacks.products.mvc.plan import MvcProduct
from stacks.products.product import Product
from stacks.products.registry.plan import RegistryProduct
from stacks.products.spark.plan import SparkProduct
from stacks.products.ui.plan import UiProduct
from stacks.products.web.plan import WebProduct
from stacks.products.wordpress.plan import WordPressProduct
from stacks.settings import Settings

PRODUCTS: tuple[Product, ...] = (
    WebProduct(),
    WordPressProduct(),
    SparkProduct(),
    HadoopProduct(),
    RegistryProduct(),
    UiProduct(),
    MvcProduct(),
    MonitoringProduct(),
)


def wanted_products(settings: Settings) -> tuple[Product, ...]:
    """The products of the stack."""
    return tuple(product for product in PRODUCTS if product.wanted(settings))


def in_order_of_deployment(settings: Settings) -> tuple[Product, ...]:
    """The products of the stack, each after those whose work it uses."""
    return tuple(sorted(wanted_products(settings), key=lambda product: product.uses_others(settings)))


def overlay_tasks(settings: Settings) -> Mapping[str, int]:
    """The overlays of the stack's products, and how many tasks each has at most: two products may share one."""
    tasks = Counter[str]()
    for product in wanted_products(settings):
        tasks.update(product.overlays(settings))
    return tasks
