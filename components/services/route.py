"""How requests reach a product: the port that it publishes, and where its tasks listen."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class Route:
    """A published port of a service.

    `published` is the port on every node and on the load balancer, `target` the port of the tasks; `network_id` is the
    overlay where the service's name resolves to its tasks; `health_path` answers 200 when the product works, and is
    empty where a connection is all that can be tried: such a port is passed on as it is, HTTP or not. Of a route that
    is `read_only` the proxy on every node passes on requests that only look.
    """

    service: str
    published: int
    target: int
    replicas: int
    network_id: pulumi.Output[str]
    health_path: str
    read_only: bool = False

    @property
    def backend_name(self) -> str:
        """The name that resolves to the tasks in the overlay."""
        return self.service

    @property
    def network_key(self) -> str:
        """A stable key of the overlay."""
        return self.service

    @property
    def secure(self) -> bool:
        """Whether the tasks speak TLS: such a port is passed on as it is, and `health_path` is asked for over TLS."""
        return False

    def url(self, address: pulumi.Input[str]) -> pulumi.Output[str]:
        """Where it is found behind an address: `http://198.51.100.7:8080/`."""
        return url(address, self.published, self.scheme)

    @property
    def scheme(self) -> str:
        """The word that a URL begins with."""
        return "https" if self.secure else "http"


@dataclass(frozen=True, kw_only=True)
class SharedRoute(Route):
    """A route among several of one service or one overlay: `service` names the route, `backend` the service, `network`
    the overlay."""

    backend: str
    network: str

    @property
    def backend_name(self) -> str:
        """The service's own name."""
        return self.backend

    @property
    def network_key(self) -> str:
        """The overlay's own name."""
        return self.network


@dataclass(frozen=True, kw_only=True)
class SecureRoute(Route):
    """A route to tasks that speak TLS themselves."""

    @property
    def secure(self) -> bool:
        """As the tasks do."""
        return True


def url(address: pulumi.Input[str], port: int, scheme: str = "http") -> pulumi.Output[str]:
    """`http://198.51.100.7:8080/`."""
    return pulumi.Output.concat(scheme, "://", address, ":", str(port), "/")
