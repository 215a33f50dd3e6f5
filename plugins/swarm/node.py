"""`Node`: a machine's membership of the swarm. Its role, availability and labels change in place; its deletion leaves
the swarm as one would by hand (drain, wait, demote, leave, remove), and not at all where the quorum would be lost."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, ClassVar

from typing_extensions import override

from plugins.swarm.connection import Connection, connections_of
from plugins.swarm.daemon import DaemonError
from plugins.swarm.errors import HalfMadeError, SwarmError
from plugins.swarm.fields import (
    ADDRESS,
    CONNECTION,
    SEALED,
    TEXT,
    TEXTS,
    Change,
    Field,
    Fields,
    list_of,
    one_of,
)
from plugins.swarm.host import record_host_key
from plugins.swarm.managers import Managers, NoManagerError
from plugins.swarm.operation import Operation, WrongHostKeyError
from plugins.swarm.quorum import refusal
from plugins.swarm.removal import Removal
from plugins.swarm.resource import Made, Old, Properties, Resource, Seen
from plugins.swarm.ssh import SshError

LISTEN = "0.0.0.0:2377"


class Node(Resource):
    """A machine's membership."""

    token: ClassVar[str] = "swarm:index:Node"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "connection": Field(CONNECTION, required=True, change=Change.NOTHING),
        "managers": Field(list_of(CONNECTION, at_least=1), required=True, change=Change.NOTHING),
        "clusterId": Field(TEXT, required=True, change=Change.REPLACE),
        "managerAddresses": Field(list_of(TEXT, at_least=1), required=True, change=Change.NOTHING),
        "joinToken": Field(SEALED, required=True, change=Change.NOTHING, secret=True),
        "role": Field(one_of("manager", "worker"), required=True),
        "advertiseAddress": Field(ADDRESS, required=True, change=Change.REPLACE),
        "dataPathAddress": Field(ADDRESS, change=Change.REPLACE),
        "availability": Field(one_of("active", "pause", "drain"), default="active"),
        "labels": Field(TEXTS),
        "triggers": Field(TEXTS, change=Change.REPLACE),
    }
    computed: ClassVar[tuple[str, ...]] = ("nodeId", "hostname", "address", "state")
    secret_outputs: ClassVar[frozenset[str]] = frozenset({"joinToken"})
    stable: ClassVar[tuple[str, ...]] = ("nodeId", "hostname", "address")

    @override
    def create(self, operation: Operation, inputs: Properties) -> Made:
        managers = _managers(operation, inputs)
        node_id = _join(operation, managers, inputs)
        try:
            return Made(node_id, self._settle(operation, managers, node_id, {}, inputs))
        except SwarmError as error:
            raise HalfMadeError(str(error), node_id, {**inputs, "nodeId": node_id}) from error

    @override
    def read(self, operation: Operation, object_id: str, inputs: Properties, outputs: Properties) -> Seen | None:
        if not inputs:
            return _import(operation, object_id)
        managers = _managers(operation, inputs)
        try:
            node = managers.node(object_id)
        except NoManagerError as error:
            if error.is_gone or _is_out(operation, Connection.of(inputs["connection"])):
                return None
            raise
        if node is None or _has_left(operation, node, inputs):
            return None
        spec, labels = node["Spec"], node["Spec"].get("Labels") or {}
        seen = {**inputs, "role": spec["Role"], "availability": spec["Availability"]}
        if inputs.get("labels"):
            seen["labels"] = {key: labels[key] for key in inputs["labels"] if key in labels}
        return Seen(object_id, seen, {**seen, **_describe(node)})

    @override
    def update(self, operation: Operation, object_id: str, old: Old, news: Properties) -> Properties:
        managers = _managers(operation, news)
        if managers.node(object_id) is None:
            raise SwarmError(
                f"node {object_id} is no longer in swarm {managers.cluster_id}: run `pulumi refresh`, so that the next "
                "`pulumi up` joins it anew"
            )
        return self._settle(operation, managers, object_id, old.inputs, news)

    @override
    def delete(self, operation: Operation, object_id: str, properties: Properties) -> None:
        connection = Connection.of(properties["connection"])
        managers = _managers(operation, properties)
        try:
            node = managers.node(object_id, but=connection)
        except NoManagerError as error:
            _leave_what_is_gone(operation, connection, managers.cluster_id, error)
            return
        if node is None:
            _leave_if_still(operation, connection, object_id)
            return
        Removal(operation, managers, connection, object_id).run(node)

    def _settle(
        self, operation: Operation, managers: Managers, node_id: str, olds: Properties, inputs: Properties
    ) -> Properties:
        """Wait until the node is ready and has the role, availability and labels that the inputs say."""
        _wait_until_ready(operation, managers, node_id)
        _set_role(operation, managers, node_id, Connection.of(inputs["connection"]), inputs["role"])
        old_labels, labels = olds.get("labels") or {}, inputs.get("labels") or {}

        def edit(spec: dict[str, Any]) -> None:
            spec["Availability"] = inputs["availability"]
            # Labels that others set stay.
            kept = {key: value for key, value in (spec.get("Labels") or {}).items() if key not in old_labels}
            spec["Labels"] = {**kept, **labels}

        managers.change_node(node_id, edit)
        node = managers.node(node_id)
        assert node is not None, "a node whose spec was just changed"
        return {**inputs, **_describe(node)}


def _managers(operation: Operation, properties: Properties) -> Managers:
    return Managers(operation, connections_of(properties, "managers"), properties["clusterId"])


def _describe(node: Mapping[str, Any]) -> Properties:
    return {
        "nodeId": node["ID"],
        "hostname": node["Description"]["Hostname"],
        "address": _address(node),
        "state": node["Status"]["State"],
    }


def _address(node: Mapping[str, Any]) -> str:
    """The address that others see the node at; of a manager, Status may hold 0.0.0.0 or its own loopback."""
    manager = str((node.get("ManagerStatus") or {}).get("Addr") or "").rpartition(":")[0]
    return manager or str(node["Status"].get("Addr") or "")


def _join(operation: Operation, managers: Managers, inputs: Properties) -> str:
    """The node's id in the swarm, after joining it if that was needed."""
    connection = Connection.of(inputs["connection"])
    if operation.look(connection).state == "inactive":
        # Managers one after another: each of them changes who has to agree.
        alone = operation.locked(managers.cluster_id) if inputs["role"] == "manager" else nullcontext()
        with alone:
            operation.wait(
                lambda: _ask_to_join(operation, managers, connection, inputs),
                f"{connection.name} to join swarm {managers.cluster_id}",
            )

    def joined() -> str | None:
        view = operation.look(connection)
        if view.state in ("error", "locked"):
            raise SwarmError(
                f"{connection.name} {view.told()}; take it out (`docker swarm leave --force` on it), then run again"
            )
        return view.node_id if view.state == "active" else None

    node_id = operation.wait(joined, f"{connection.name} to be in the swarm", tolerate=(DaemonError, SshError))
    _belongs(managers, connection, node_id, inputs["advertiseAddress"])
    return node_id


def _ask_to_join(operation: Operation, managers: Managers, connection: Connection, inputs: Properties) -> bool:
    """Whether the machine's daemon took it up; False when the swarm was just busy with itself."""
    if operation.look(connection).state != "inactive":
        return True
    # The managers of this moment, too: the address known since the first one may be of a machine that is no more.
    _, view = managers.find()
    addresses = dict.fromkeys([*view.manager_addresses, *inputs["managerAddresses"]])
    try:
        with operation.docker(connection) as client:
            client.join_swarm(
                remote_addrs=list(addresses),
                join_token=inputs["joinToken"],
                listen_addr=LISTEN,
                advertise_addr=inputs["advertiseAddress"],
                data_path_addr=inputs.get("dataPathAddress"),
            )
    except DaemonError as error:
        if "invalid join token" in error.explanation.lower():
            raise SwarmError(
                "joinToken is not (or no longer) the swarm's: it was rotated; run `pulumi refresh`, then `pulumi up`"
            ) from error
        # After 20 seconds the daemon answers so and goes on trying by itself; whoever called waits for the result.
        if "timeout was reached" in error.explanation.lower():
            return True
        if not error.passes:
            raise
        operation.progress(f"{connection.name} tries again to join: {error.explanation}")
        return False
    return True


def _belongs(managers: Managers, connection: Connection, node_id: str, advertise_address: str) -> None:
    node = managers.node(node_id)
    if node is None:
        raise SwarmError(
            f"{connection.name} is a member of another swarm than {managers.cluster_id} (its node id {node_id} is not "
            "known here): take it out (`docker swarm leave --force` on it), or declare it in its own cluster"
        )
    known_as = str((node.get("ManagerStatus") or {}).get("Addr") or "")
    # An interface's name is looked up on the machine itself and cannot be compared.
    if known_as and advertise_address[0].isdigit() and advertise_address not in (known_as, known_as.rpartition(":")[0]):
        raise SwarmError(
            f"advertiseAddress is {advertise_address} but {connection.name} is a manager of the swarm as {known_as}: "
            "the address of a member is fixed; declare it as it is, or let the machine leave first"
        )


def _import(operation: Operation, object_id: str) -> Seen:
    """The id is `ssh://user@address:port` of the machine, then those of managers, divided by commas."""
    if not object_id.startswith("ssh://"):
        raise SwarmError(
            f"id is {object_id!r}: a node id alone does not tell where the node is; import it by its machine and then "
            "its managers, ssh://user@address:port,ssh://…"
        )
    connections = [record_host_key(operation, Connection.parse(url)) for url in object_id.split(",")]
    view = operation.look(connections[0])
    if view.state != "active":
        raise SwarmError(f"id is {object_id!r}: {connections[0].name} {view.told()}; create the node instead")
    cluster_id = next((id_ for one in connections if (id_ := operation.look(one).cluster_id)), "")
    managers = Managers(operation, connections, cluster_id)
    node = managers.node(view.node_id)
    if node is None:
        raise SwarmError(f"id is {object_id!r}: the swarm {cluster_id} does not know {connections[0].name}")
    _, chosen = managers.find()
    spec = node["Spec"]
    inputs = {
        "connection": connections[0].properties(),
        "managers": [one.properties() for one in connections if operation.look(one).is_manager],
        "clusterId": cluster_id,
        "managerAddresses": list(chosen.manager_addresses),
        "joinToken": managers.call(lambda client: client.inspect_swarm()["JoinTokens"][spec["Role"].capitalize()]),
        "role": spec["Role"],
        "advertiseAddress": view.address,
        "availability": spec["Availability"],
        **({"labels": dict(spec["Labels"])} if spec.get("Labels") else {}),
    }
    return Seen(view.node_id, inputs, {**inputs, **_describe(node)})


def _wait_until_ready(operation: Operation, managers: Managers, node_id: str) -> None:
    states = [""]

    def ready() -> bool:
        node = managers.node(node_id) or {"Status": {"State": "unknown"}}
        states[0] = " ".join(filter(None, (node["Status"]["State"], node["Status"].get("Message"))))
        return node["Status"]["State"] == "ready"

    operation.wait(ready, f"node {node_id} to be ready", said=lambda: f"it is {states[0]}")


def _set_role(operation: Operation, managers: Managers, node_id: str, connection: Connection, role: str) -> None:
    """Promote or demote, and wait until the set of managers is what it should be."""
    node = managers.node(node_id)
    if node is not None and node["Spec"]["Role"] != role:
        with operation.locked(managers.cluster_id):
            if role == "worker" and (why := refusal(managers.members(), node_id, "demoting")):
                raise SwarmError(f"role: {why}")
            operation.progress("promoting" if role == "manager" else "demoting")
            managers.change_node(node_id, lambda spec: spec.update(Role=role), but=connection)
            _wait_for_role(operation, managers, node_id, connection, role)
    else:
        _wait_for_role(operation, managers, node_id, connection, role)


def _wait_for_role(operation: Operation, managers: Managers, node_id: str, connection: Connection, role: str) -> None:
    def settled() -> bool:
        node = managers.node(node_id, but=connection)
        status = (node or {}).get("ManagerStatus") or {}
        return status.get("Reachability") == "reachable" if role == "manager" else not status

    what = "to be a reachable manager" if role == "manager" else "to be a manager no longer"
    operation.wait(settled, f"node {node_id} {what}")


def _is_out(operation: Operation, connection: Connection) -> bool:
    """Whether the machine itself says that it is in no swarm."""
    try:
        return operation.look(connection).state == "inactive"
    except (SshError, WrongHostKeyError, DaemonError) as error:
        operation.warn(f"{connection.name} does not answer: {error}")
        return False


def _has_left(operation: Operation, node: Mapping[str, Any], inputs: Properties) -> bool:
    """Whether a node that is listed as down left on its machine's side; one that does not answer is not gone."""
    if node["Status"]["State"] != "down":
        return False
    try:
        view = operation.look(Connection.of(inputs["connection"]))
    except (SshError, WrongHostKeyError, DaemonError) as error:
        operation.warn(f"node {node['ID']} is down and its machine does not answer: {error}")
        return False
    return view.node_id != node["ID"]


def _leave_what_is_gone(operation: Operation, connection: Connection, cluster_id: str, none: NoManagerError) -> None:
    """No manager speaks for the swarm: fine when the machine is out of it, or when the swarm is certainly no more."""
    try:
        view = operation.look(connection)
    except (SshError, WrongHostKeyError, DaemonError) as error:
        raise SwarmError(f"{none}; and {connection.name}, which is to leave it, does not answer ({error})") from error
    if view.state == "inactive":
        operation.progress("the swarm is gone, and so is this node of it")
    elif none.is_gone and not view.is_manager:
        operation.progress("the swarm is gone: the machine leaves what is left of it")
        with operation.docker(connection) as client:
            client.leave_swarm(force=True)
    elif not (view.is_manager and view.cluster_id != cluster_id):
        raise none


def _leave_if_still(operation: Operation, connection: Connection, node_id: str) -> None:
    """The swarm does not know the node any more: what its machine holds of it is stale."""
    try:
        view = operation.look(connection)
        if view.state != "inactive" and view.node_id == node_id:
            with operation.docker(connection) as client:
                client.leave_swarm(force=True)
    except (SshError, WrongHostKeyError, DaemonError) as error:
        operation.warn(
            f"{connection.name} does not answer; if it is still there, `docker swarm leave --force` on it: {error}"
        )
