"""What Docker daemons answer: refusals told apart from hiccups of a cluster that is just electing a leader, and the
state of the swarm as one daemon sees it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugins.swarm.errors import SwarmError

if TYPE_CHECKING:
    import docker

# What managers say while the set of managers changes; each of these passes by itself.
HICCUPS = (
    "does not have a leader",
    "update out of sequence",
    "context deadline exceeded",
    "code = unavailable",
    "raft: no elected cluster leader",
    "connection is closing",
    "transport is closing",
    "context canceled",
    "is not a swarm manager",
    "this node is not participating as a raft member",
)


class DaemonError(SwarmError):
    """A Docker daemon refused or broke off; `status` is the HTTP status, 0 when the connection broke."""

    def __init__(self, daemon: str, status: int, explanation: str) -> None:
        super().__init__(f"Docker on {daemon}: {explanation}")
        self.status = status
        self.explanation = explanation

    @property
    def passes(self) -> bool:
        """Whether asking again, perhaps another manager, may help."""
        return self.status == 0 or any(hiccup in self.explanation.lower() for hiccup in HICCUPS)

    @property
    def not_found(self) -> bool:
        """Whether the object does not exist."""
        return self.status == 404


@contextmanager
def answers_of(daemon: str) -> Generator[None]:
    """Turn the errors of the docker SDK within the block into DaemonError."""
    try:
        yield
    except Exception as error:
        translated = _translate(daemon, error)
        if translated is None:
            raise
        raise translated from error


def _translate(daemon: str, error: Exception) -> DaemonError | None:
    # Imported here, where docker has long been imported by whoever raised: a preview never needs it.
    from docker.errors import APIError, DockerException  # noqa: PLC0415
    from requests.exceptions import RequestException  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    if isinstance(error, APIError):
        status = error.response.status_code if error.response is not None else 0
        return DaemonError(daemon, status, str(error.explanation or error).strip())
    if isinstance(error, DockerException | RequestException | HTTPError):
        return DaemonError(daemon, 0, f"the connection broke off ({type(error).__name__})")
    return None


@dataclass(frozen=True, slots=True)
class SwarmView:
    """The swarm as one daemon sees it: `state` is inactive, pending, active, error or locked; only a manager knows the
    cluster's id."""

    state: str
    node_id: str = ""
    cluster_id: str = ""
    is_manager: bool = False
    error: str = ""
    address: str = ""
    manager_addresses: tuple[str, ...] = ()

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> "SwarmView":
        """From the answer of `GET /info`."""
        swarm = info.get("Swarm") or {}
        managers = sorted(str(one["Addr"]) for one in swarm.get("RemoteManagers") or [])
        return cls(
            state=swarm.get("LocalNodeState") or "inactive",
            node_id=swarm.get("NodeID") or "",
            cluster_id=(swarm.get("Cluster") or {}).get("ID") or "",
            is_manager=bool(swarm.get("ControlAvailable")),
            error=swarm.get("Error") or "",
            address=swarm.get("NodeAddr") or "",
            manager_addresses=tuple(managers),
        )

    def told(self) -> str:
        """In words, for messages."""
        match self.state:
            case "inactive":
                return "is in no swarm"
            case "active" if self.is_manager:
                return f"is a manager of swarm {self.cluster_id}"
            case "active":
                return "is a worker in a swarm"
            case "locked":
                return "is locked: unlock it with `docker swarm unlock` and the unlock key"
            case _:
                return f"has swarm state {self.state}" + (f": {self.error}" if self.error else "")


def look_at(client: "docker.APIClient") -> SwarmView:
    """Ask one daemon for its view."""
    return SwarmView.of(client.info())
