"""Names of what a Compose file makes on a swarm: as `docker stack deploy` gives them, `<stack>_<name>` (M71)."""

from components.services.compose.model import ComposeFile

STACK_LABEL = "com.docker.stack.namespace"
"""The label by which `docker stack ls` and `docker stack ps` know what belongs to a stack."""

MTU_OPTION = "com.docker.network.driver.mtu"


def service_name(stack: str, key: str) -> str:
    """The whole name of a service."""
    return f"{stack}_{key}"


def network_name(stack: str, file: ComposeFile, key: str) -> str:
    """The whole name of a network of the file."""
    return file.networks[key].name or f"{stack}_{key}"


def volume_name(stack: str, file: ComposeFile, key: str) -> str:
    """The whole name of a volume of the file."""
    return file.volumes[key].name or f"{stack}_{key}"


def route_name(stack: str, service: str, published: int) -> str:
    """A name that every load balancer takes: small letters, digits and `-`; the port makes it the only one."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in f"{stack}-{service}".lower())
    return f"{plain}-{published}"
