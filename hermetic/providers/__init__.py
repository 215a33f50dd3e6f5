"""Stand-ins for provider plugins: what the hermetic engine starts when a plugin's binary is not there."""

from __future__ import annotations

from collections.abc import Callable

from hermetic.providers.driver import Log, Package
from hermetic.providers.servicer import Server

__all__ = ["Log", "Server", "serve"]


def serve(name: str, log: Log | None = None) -> Server:
    """Start the stand-in for the plugin `name` in this process; KeyError when there is none.

    `log` receives (urn, line) for each line of progress of a long operation.
    """
    return Server(_packages()[name](), log)


def _packages() -> dict[str, Callable[[], Package]]:
    """Imported when a stand-in is first served: the engine's start does not wait for the docker SDK."""
    from hermetic.providers.docker.package import docker_package  # noqa: PLC0415
    from hermetic.providers.random_values import random_package  # noqa: PLC0415
    from hermetic.providers.tls.package import tls_package  # noqa: PLC0415

    return {"docker": docker_package, "random": random_package, "tls": tls_package}
