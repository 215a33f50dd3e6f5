"""The docker stand-in put together: one connection and the drivers that use it."""

from __future__ import annotations

from hermetic.providers.check import Values, failures
from hermetic.providers.docker import tables
from hermetic.providers.docker.connection import Connection, decoded
from hermetic.providers.docker.container import ContainerDriver
from hermetic.providers.docker.image import RemoteImageDriver
from hermetic.providers.docker.service import ServiceDriver
from hermetic.providers.docker.storage import NetworkDriver, SecretDriver, ServiceConfigDriver, VolumeDriver
from hermetic.providers.driver import Package
from hermetic.providers.rules import Rules
from hermetic.providers.shapes import provider_shape

_VERSION = "5.1.0"
_SCHEMES = ("unix://", "tcp://", "ssh://", "http://", "https://", "npipe://")
_UNSUPPORTED = ("caMaterial", "certMaterial", "keyMaterial", "context")


def docker_package() -> Package:
    """A provider instance of its own: nothing is shared between two of them."""
    connection = Connection()
    drivers = (
        (tables.NETWORK, NetworkDriver(connection)),
        (tables.VOLUME, VolumeDriver(connection)),
        (tables.SECRET, SecretDriver(connection)),
        (tables.SERVICE_CONFIG, ServiceConfigDriver(connection)),
        (tables.REMOTE_IMAGE, RemoteImageDriver(connection)),
        (tables.CONTAINER, ContainerDriver(connection)),
        (tables.SERVICE, ServiceDriver(connection)),
    )
    return Package(
        name="docker",
        version=_VERSION,
        resources={rules.resource_type: (rules, driver) for rules, driver in drivers},
        check_configuration=_refusals,
        configure=connection.configure,
        probe=connection.probe,
        close=connection.close,
    )


def _refusals(configuration: Values) -> list[str]:
    """What the provider's configuration is refused for; the engine's own keys are not looked at."""
    known = decoded({name: value for name, value in configuration.items() if name not in ("version", "__internal")})
    found = failures(
        Rules(resource_type="pulumi:providers:docker", autoname=False), provider_shape("docker"), "docker", known
    )
    host = known.get("host")
    if isinstance(host, str) and "://" in host and not host.startswith(_SCHEMES):
        found.append(f"host is {host!r}: use unix://, tcp:// or ssh://")
    unsupported = [name for name in _UNSUPPORTED if known.get(name)]
    found += [f"{name} is not supported by this engine's stand-in; use certPath or ssh://" for name in unsupported]
    return found
