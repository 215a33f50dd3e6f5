"""How a node leaves a swarm: gracefully where its machine answers; by force only where the machine is proved gone."""

from collections.abc import Mapping
from typing import Any

from plugins.swarm.connection import Connection, is_nobody_there
from plugins.swarm.daemon import DaemonError
from plugins.swarm.errors import DeadlineError, SwarmError
from plugins.swarm.managers import Managers
from plugins.swarm.operation import Operation
from plugins.swarm.quorum import refusal
from plugins.swarm.ssh import SshError

# A task in one of these states runs no longer.
OVER = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})


def is_manager(node: Mapping[str, Any]) -> bool:
    """Whether the node counts in the quorum, or is about to."""
    return node["Spec"]["Role"] == "manager" or bool(node.get("ManagerStatus"))


class Removal:
    """The removal of one node. The rule for force: nothing listens at the machine's SSH port (connection refused, no
    route) *and* the swarm calls the node down. A timeout, a failed login or another host key proves nothing."""

    def __init__(self, operation: Operation, managers: Managers, connection: Connection, node_id: str) -> None:
        self._operation = operation
        self._managers = managers
        self._connection = connection
        self._node_id = node_id

    def run(self, node: Mapping[str, Any]) -> None:
        """Remove the node, or raise and say why it has to stay. The last manager stays: it leaves with the cluster."""
        if self._is_the_last_manager(node):
            return
        self._refuse_loss_of_quorum(node)
        try:
            view = self._operation.look(self._connection)
        except SshError as error:
            self._require_proof(node, error)
            self._remove(node)
            return
        if view.state == "inactive" or view.node_id != self._node_id:
            self._remove(node)
        else:
            self._drain()
            self._remove(node, leave=True)

    def _is_the_last_manager(self, node: Mapping[str, Any]) -> bool:
        if not is_manager(node) or [one.node_id for one in self._managers.members()] != [self._node_id]:
            return False
        self._operation.progress("the last manager stays: it leaves with the cluster itself")
        return True

    def _refuse_loss_of_quorum(self, node: Mapping[str, Any]) -> None:
        if is_manager(node) and (why := refusal(self._managers.members(), self._node_id)):
            raise SwarmError(why)

    def _require_proof(self, node: Mapping[str, Any], error: SshError) -> None:
        """A machine that is gone refuses connections, and its node becomes down within seconds."""
        name = node["Description"]["Hostname"]
        if not is_nobody_there(str(error)):
            raise SwarmError(
                f"{name} is not removed: its machine {self._connection.name} does not answer, which does not prove "
                f"that it is gone ({error}). Make it answer, or power it off for good so that its SSH port refuses "
                "connections, then run again"
            ) from error
        self._operation.wait(
            lambda: self._state() == "down",
            f"the swarm to notice that {name} is gone",
            said=lambda: f"{self._connection.name} refuses connections, but the swarm says {self._state()}",
        )

    def _state(self) -> str:
        node = self._managers.node(self._node_id, but=self._connection)
        return node["Status"]["State"] if node else "down"

    def _drain(self) -> None:
        """Drain, then wait until none of the node's tasks runs any more."""
        operation, managers = self._operation, self._managers
        operation.progress("draining")
        managers.change_node(self._node_id, lambda spec: spec.update(Availability="drain"), but=self._connection)
        try:
            operation.wait(lambda: not self._running(), "its tasks to end", said=lambda: ", ".join(self._running()))
        except DeadlineError as error:
            raise DeadlineError(
                f"{error}: the node stays drained and in the swarm; end these tasks or give more time (customTimeouts)"
            ) from error

    def _running(self) -> list[str]:
        tasks: list[dict[str, Any]] = self._managers.call(
            lambda client: client.tasks(filters={"node": self._node_id}), but=self._connection
        )
        return sorted(
            f"task {task['ID'][:12]} of service {task['ServiceID'][:12]} is {task['Status']['State']}"
            for task in tasks
            if task["Status"]["State"] not in OVER
        )

    def _remove(self, node: Mapping[str, Any], *, leave: bool = False) -> None:
        if not is_manager(node):
            self._leave_and_forget(leave)
            return
        # One manager at a time, counted anew: others may have gone since the first look.
        with self._operation.locked(self._managers.cluster_id):
            if self._is_the_last_manager(node):
                self._managers.change_node(
                    self._node_id, lambda spec: spec.update(Availability=node["Spec"]["Availability"])
                )
                return
            self._refuse_loss_of_quorum(node)
            self._operation.progress("demoting")
            self._managers.change_node(self._node_id, lambda spec: spec.update(Role="worker"), but=self._connection)
            self._operation.wait(self._is_demoted, "its demotion")
            self._leave_and_forget(leave)

    def _is_demoted(self) -> bool:
        node = self._managers.node(self._node_id, but=self._connection)
        return not (node or {}).get("ManagerStatus")

    def _leave_and_forget(self, leave: bool) -> None:
        if leave:
            self._operation.wait(self._has_left, "the machine to leave", tolerate=(DaemonError, SshError))
        self._operation.progress("removing it from the list of nodes")
        try:
            # By force: the machine is out, only the swarm has not noticed yet.
            self._managers.call(lambda client: client.remove_node(self._node_id, force=True), but=self._connection)
        except DaemonError as error:
            if not error.not_found:
                raise

    def _has_left(self) -> bool:
        view = self._operation.look(self._connection)
        if view.state == "inactive":
            return True
        if not view.is_manager:
            with self._operation.docker(self._connection) as client:
                client.leave_swarm()
        return False
