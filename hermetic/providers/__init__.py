"""Stand-ins for provider plugins: what the hermetic engine starts when a plugin's binary is not there."""

from __future__ import annotations

from collections.abc import Callable

from hermetic.providers.driver import Log, Warn
from hermetic.providers.servicer import Server, Servicer

__all__ = ["Log", "Server", "Warn", "serve"]


def serve(name: str, log: Log | None = None, warn: Warn | None = None) -> Server:
    """Start the stand-in for the plugin `name` in this process; KeyError when there is none.

    `log` receives (urn, line) for each line of progress of a long operation, `warn` what the user should know besides.
    """
    return Server(_stand_ins(log, warn or _unheard)[name]())


def _stand_ins(log: Log | None, warn: Warn) -> dict[str, Callable[[], Servicer]]:
    """Imported when a stand-in is first served: the engine's start does not wait for the docker SDK."""
    from hermetic.providers.docker.package import docker_package  # noqa: PLC0415
    from hermetic.providers.preview_only.servicer import PreviewServicer  # noqa: PLC0415
    from hermetic.providers.random_values import random_package  # noqa: PLC0415
    from hermetic.providers.tls.package import tls_package  # noqa: PLC0415

    return {
        "docker": lambda: Servicer(docker_package(), log),
        "random": lambda: Servicer(random_package(), log),
        "tls": lambda: Servicer(tls_package(), log),
        "aws": lambda: PreviewServicer("aws", warn),
        "openstack": lambda: PreviewServicer("openstack", warn),
    }


def _unheard(line: str) -> None:
    """Where nobody asked for warnings."""
