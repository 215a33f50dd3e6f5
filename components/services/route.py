"""How requests reach a product: the port that it publishes, and where its tasks listen."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class Route:
    """A published port of a service.

    `published` is the port on every node and on the load balancer, `target` the port of the tasks; `network_id` is the
    overlay where the service's name resolves to its tasks, and `network` its key, where several services share it;
    `health_path` answers 200 when the product works.
    """

    service: str
    published: int
    target: int
    replicas: int
    network_id: pulumi.Output[str]
    health_path: str
    network: str | None = None
