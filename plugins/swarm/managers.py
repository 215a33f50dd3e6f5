"""Talk to a swarm through whichever of its managers answers."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from plugins.swarm.connection import Connection
from plugins.swarm.daemon import DaemonError, SwarmView, look_at
from plugins.swarm.errors import SwarmError
from plugins.swarm.operation import Operation, WrongHostKeyError
from plugins.swarm.quorum import Manager
from plugins.swarm.ssh import SshError

if TYPE_CHECKING:
    import docker

Answer = TypeVar("Answer")
Node = dict[str, Any]
Call = Callable[["docker.APIClient"], Answer]
PAUSE = 0.5
# A swarm elects a leader within seconds; one that cannot for so long has lost its majority.
PATIENCE = 45.0


class NoManagerError(SwarmError):
    """None of the managers answers for this swarm; `is_gone` when all answered and the swarm is on none of them."""

    def __init__(self, cluster_id: str, said: Sequence[tuple[Connection, str]], is_gone: bool) -> None:
        words = "; ".join(f"{connection.name} {what}" for connection, what in said) or "managers is empty"
        super().__init__(
            f"no manager answers for swarm {cluster_id}: {words}. Nothing was changed and no second swarm is made: "
            "bring one of its managers back (or give the right `managers`), then run again"
        )
        self.is_gone = is_gone


class Managers:
    """The managers of one swarm, asked in the order given; who did not answer a moment ago is asked last."""

    def __init__(self, operation: Operation, connections: Sequence[Connection], cluster_id: str) -> None:
        self._operation = operation
        self._connections = list(connections)
        self.cluster_id = cluster_id
        self.answering: Connection | None = None

    def call(self, ask: Call[Answer], but: Connection | None = None) -> Answer:
        """The answer of the first manager of this swarm that can give one; `but` is asked last.

        A refusal of the swarm itself is raised; while it elects a leader or a manager just left, the next one is asked.
        """
        patience = time.monotonic() + PATIENCE
        while True:
            round_ = _Round(self.cluster_id)
            for connection in sorted(self._connections, key=lambda one: (one == but, self._operation.is_suspect(one))):
                try:
                    with self._operation.docker(connection) as client:
                        view = look_at(client)
                        if view.state == "active" and view.is_manager and view.cluster_id == self.cluster_id:
                            answer = ask(client)
                            self.answering = connection
                            return answer
                        round_.elsewhere(connection, view)
                except (SshError, WrongHostKeyError) as error:
                    round_.silent(connection, error)
                except DaemonError as error:
                    if not error.passes:
                        raise
                    round_.hiccup(connection, error)
            if not round_.passes or time.monotonic() > patience:
                raise round_.error()
            self._operation.check(str(round_.error()))
            self._operation.pause(PAUSE)

    def find(self) -> tuple[Connection, SwarmView]:
        """A manager that answers for this swarm, and its view."""
        view = self.call(look_at)
        assert self.answering is not None
        return self.answering, view

    def nodes(self) -> list[Node]:
        """What `docker node ls` shows."""
        return self.call(lambda client: client.nodes())

    def node(self, node_id: str, but: Connection | None = None) -> Node | None:
        """One node, or None when the swarm does not know it."""
        try:
            return self.call(lambda client: client.inspect_node(node_id), but)
        except DaemonError as error:
            if error.not_found:
                return None
            raise

    def change_node(self, node_id: str, edit: Callable[[dict[str, Any]], None], but: Connection | None = None) -> None:
        """Edit a node's spec; when somebody else changed it meanwhile, the edit is done anew on what is there then."""

        def change(client: "docker.APIClient") -> None:
            node: Node = client.inspect_node(node_id)
            spec = copy.deepcopy(node["Spec"])
            edit(spec)
            if spec != node["Spec"]:
                client.update_node(node_id, node["Version"]["Index"], spec)

        self.call(change, but)

    def members(self) -> list[Manager]:
        """The managers for the arithmetic of the quorum."""
        return [
            Manager(
                node["ID"], node["Description"]["Hostname"], node["ManagerStatus"].get("Reachability") == "reachable"
            )
            for node in self.nodes()
            if node.get("ManagerStatus")
        ]


@dataclass(slots=True)
class _Round:
    """What each manager said when all were asked once; `passes` when asking again may help."""

    cluster_id: str
    said: list[tuple[Connection, str]] = field(default_factory=list[tuple[Connection, str]])
    passes: bool = False
    is_gone: bool = True

    def elsewhere(self, connection: Connection, view: SwarmView) -> None:
        self.said.append((connection, view.told()))
        # Out of every swarm, or deciding in another one: this daemon has certainly left ours.
        self.is_gone = self.is_gone and (view.state == "inactive" or (view.state == "active" and view.is_manager))

    def silent(self, connection: Connection, error: Exception) -> None:
        self.said.append((connection, f"does not answer ({error})"))
        self.is_gone = False

    def hiccup(self, connection: Connection, error: DaemonError) -> None:
        self.said.append((connection, f"cannot decide ({error.explanation})"))
        self.passes, self.is_gone = True, False

    def error(self) -> NoManagerError:
        return NoManagerError(self.cluster_id, self.said, self.is_gone and bool(self.said))
