"""All products, in the order in which they are deployed."""

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
