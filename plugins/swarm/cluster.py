"""`Cluster`: the swarm itself. Found through any of its managers, initialised only where certainly none is."""

import copy
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from plugins.swarm.connection import Connection, connections_of, is_nobody_there
from plugins.swarm.daemon import DaemonError, SwarmView, look_at
from plugins.swarm.differences import Difference, differences
from plugins.swarm.discovery import Adopt, Look, decide
from plugins.swarm.errors import HalfMadeError, SwarmError
from plugins.swarm.fields import (
    ADDRESS,
    BOOLEAN,
    CERTIFICATE_EXPIRY,
    CIDR,
    CONNECTION,
    Change,
    Failure,
    Field,
    Fields,
    list_of,
    number,
    seconds,
)
from plugins.swarm.host import record_host_key
from plugins.swarm.managers import Managers, NoManagerError
from plugins.swarm.operation import Operation, WrongHostKeyError
from plugins.swarm.resource import Made, Old, Properties, Resource, Seen
from plugins.swarm.ssh import SshError
from plugins.swarm.values import UNKNOWN, is_known

if TYPE_CHECKING:
    import docker

DATA_PATH_PORT = 4789
SUBNET_SIZE = 24
POOLS = ["10.0.0.0/8"]
LISTEN = "0.0.0.0:2377"
NANOSECONDS = 1_000_000_000
# Fixed when the swarm is born, with what Docker takes where nothing is said.
FIXED: Mapping[str, Any] = {
    "advertiseAddress": None,
    "dataPathAddress": None,
    "dataPathPort": DATA_PATH_PORT,
    "defaultAddressPools": POOLS,
    "subnetSize": SUBNET_SIZE,
    "listenAddress": LISTEN,
}


class Cluster(Resource):
    """The swarm."""

    token: ClassVar[str] = "swarm:index:Cluster"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "connection": Field(CONNECTION, required=True, change=Change.NOTHING),
        "managers": Field(list_of(CONNECTION, at_least=1), required=True, change=Change.NOTHING),
        "advertiseAddress": Field(ADDRESS, required=True),
        "dataPathAddress": Field(ADDRESS),
        "dataPathPort": Field(number(1024, 49151)),
        "defaultAddressPools": Field(list_of(CIDR)),
        "subnetSize": Field(number(1, 29)),
        "listenAddress": Field(ADDRESS),
        "autolock": Field(BOOLEAN),
        "certificateExpiry": Field(CERTIFICATE_EXPIRY),
        "taskHistoryLimit": Field(number(0)),
        "snapshotInterval": Field(number(1)),
    }
    computed: ClassVar[tuple[str, ...]] = (
        *("clusterId", "managerAddresses", "endpoint", "endpointHostKey"),
        *("workerToken", "managerToken", "unlockKey"),
    )
    secret_outputs: ClassVar[frozenset[str]] = frozenset({"workerToken", "managerToken", "unlockKey"})
    stable: ClassVar[tuple[str, ...]] = ("clusterId",)
    patience: ClassVar[float] = 120.0

    @override
    def refuse(self, olds: Properties, news: Properties) -> list[Failure]:
        failures = [
            Failure(
                name,
                f"{name} is {_shown(news.get(name, default))} but the swarm was made with "
                f"{_shown(olds.get(name, default))}: it is fixed for the life of a swarm; put it back, or destroy the "
                "cluster and make it anew",
            )
            for name, default in FIXED.items()
            if olds and is_known(news.get(name)) and news.get(name, default) != olds.get(name, default)
        ]
        pools, size = news.get("defaultAddressPools"), news.get("subnetSize", SUBNET_SIZE)
        for index, pool in enumerate(pools if isinstance(pools, list) and isinstance(size, int) else []):
            length = str(pool).rpartition("/")[2]
            if length.isdigit() and int(length) > size:
                path = f"defaultAddressPools[{index}]"
                fix = f"no network of /{size} fits into it; use a larger pool, or a subnetSize of {length} or more"
                failures.append(Failure(path, f"{path} is {pool!r}: {fix}"))
        return failures

    @override
    def compare(
        self, olds: Properties, old_outputs: Properties, news: Properties, ignored: Sequence[str]
    ) -> list[Difference]:
        found = differences(self.fields, olds, news, ignored)
        if not _still_there(old_outputs, news) and not {"connection", "managers"} & set(ignored):
            # The connections are no setting of the swarm, but the endpoint has to be one of them.
            found.append(Difference("managers", "managers", "update", replaces=False))
        return found

    @override
    def foresee(self, old_outputs: Properties, news: Properties) -> Properties:
        if not old_outputs:
            return self.all_unknown()
        known = {name: old_outputs.get(name, UNKNOWN) for name in self.computed}
        if not _still_there(old_outputs, news):
            known.update(endpoint=UNKNOWN, endpointHostKey=UNKNOWN)
        if bool(known["unlockKey"]) != bool(news.get("autolock")):
            known["unlockKey"] = UNKNOWN
        return known

    @override
    def create(self, operation: Operation, inputs: Properties) -> Made:
        connections = connections_of(inputs, "managers", "connection")
        operation.progress("looking for the swarm on all managers")
        decision = decide(_looks(operation, connections))
        if isinstance(decision, Adopt):
            cluster_id = decision.cluster_id
            operation.progress(f"adopting swarm {cluster_id}, found on {decision.name}")
            _same_birth(_describe(Managers(operation, connections, cluster_id)), inputs)
        else:
            cluster_id = _initialise(operation, Connection.of(inputs["connection"]), inputs)
        try:
            return Made(cluster_id, self._settle(operation, cluster_id, inputs))
        except SwarmError as error:
            raise HalfMadeError(str(error), cluster_id, {**inputs, "clusterId": cluster_id}) from error

    @override
    def read(self, operation: Operation, object_id: str, inputs: Properties, outputs: Properties) -> Seen | None:
        if not inputs:
            return _import(operation, object_id)
        try:
            found = _describe(Managers(operation, connections_of(inputs, "managers", "connection"), object_id))
        except NoManagerError as error:
            if error.is_gone:
                return None
            raise
        seen = {**inputs, **{name: value for name, value in found.settings().items() if name in inputs}}
        return Seen(object_id, seen, {**seen, **found.outputs(), **_still_valid(outputs, found)})

    @override
    def update(self, operation: Operation, object_id: str, old: Old, news: Properties) -> Properties:
        return self._settle(operation, object_id, news)

    @override
    def delete(self, operation: Operation, object_id: str, properties: Properties) -> None:
        """Every manager leaves; machines that are no more are passed over as long as one manager answers at all."""
        connections = connections_of(properties, "managers", "connection")
        _tell_who_stays(operation, Managers(operation, connections, object_id))
        looks = _looks(operation, connections)
        trouble = [look for look in looks if look.view is None and not is_nobody_there(look.trouble)]
        trouble += [look for look in looks if look.view and look.view.state not in ("inactive", "active")]
        if trouble or not any(look.view for look in looks):
            raise SwarmError(
                f"swarm {object_id} is not dissolved: {'; '.join(look.told() for look in trouble or looks)}. Make them "
                "answer and run again; if the machines no longer exist, take the cluster out of the state "
                "(`pulumi state delete`)"
            )
        for connection, look in zip(connections, looks, strict=True):
            if look.view and look.view.state == "active" and look.view.cluster_id == object_id:
                operation.progress(f"{connection.name} leaves the swarm")
                with operation.docker(connection) as client:
                    client.leave_swarm(force=True)

    def _settle(self, operation: Operation, cluster_id: str, inputs: Properties) -> Properties:
        """Set what can be changed and describe the swarm; never initialises anything."""
        managers = Managers(operation, connections_of(inputs, "managers", "connection"), cluster_id)

        def change(client: "docker.APIClient") -> None:
            swarm: dict[str, Any] = client.inspect_swarm()
            spec = with_settings(swarm["Spec"], inputs)
            if spec != swarm["Spec"]:
                client.update_swarm(version=swarm["Version"]["Index"], swarm_spec=spec)

        managers.call(change)
        return {**inputs, **_describe(managers).outputs()}


@dataclass(frozen=True, slots=True)
class _Found:
    """A swarm as one of its managers describes it."""

    connection: Connection
    view: SwarmView
    swarm: dict[str, Any]
    unlock_key: str

    def outputs(self) -> Properties:
        tokens = self.swarm["JoinTokens"]
        return {
            "clusterId": self.swarm["ID"],
            "managerAddresses": list(self.view.manager_addresses),
            "endpoint": self.connection.url,
            "endpointHostKey": self.connection.host_key,
            "workerToken": tokens["Worker"],
            "managerToken": tokens["Manager"],
            "unlockKey": self.unlock_key,
        }

    def settings(self) -> Properties:
        spec = self.swarm["Spec"]
        return {
            "autolock": bool(spec["EncryptionConfig"].get("AutoLockManagers")),
            "certificateExpiry": go_duration(int(spec["CAConfig"]["NodeCertExpiry"])),
            "taskHistoryLimit": int(spec["Orchestration"].get("TaskHistoryRetentionLimit", 0)),
            "snapshotInterval": int(spec["Raft"]["SnapshotInterval"]),
        }

    def birth(self) -> Properties:
        """What it was made with, as far as it can be asked."""
        return {
            "dataPathPort": self.swarm.get("DataPathPort") or DATA_PATH_PORT,
            "defaultAddressPools": list(self.swarm.get("DefaultAddrPool") or POOLS),
            "subnetSize": self.swarm.get("SubnetSize") or SUBNET_SIZE,
        }


def _still_valid(outputs: Properties, found: _Found) -> Properties:
    """The addresses that nodes join by, as they were when the cluster was made, as long as all of them are managers'.

    Managers that joined since are no change of the cluster, and a node that joins asks for the living ones itself.
    """
    known = outputs.get("managerAddresses") or []
    return {"managerAddresses": known} if known and set(known) <= set(found.view.manager_addresses) else {}


def with_settings(spec: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A swarm's spec with the settings that the inputs name; all others, tokens included, stay."""
    changed = copy.deepcopy(dict(spec))
    if "autolock" in inputs:
        changed["EncryptionConfig"]["AutoLockManagers"] = inputs["autolock"]
    if "certificateExpiry" in inputs:
        changed["CAConfig"]["NodeCertExpiry"] = round(seconds(inputs["certificateExpiry"]) * NANOSECONDS)
    if "taskHistoryLimit" in inputs:
        changed["Orchestration"]["TaskHistoryRetentionLimit"] = inputs["taskHistoryLimit"]
    if "snapshotInterval" in inputs:
        changed["Raft"]["SnapshotInterval"] = inputs["snapshotInterval"]
    return changed


def _describe(managers: Managers) -> _Found:
    def ask(client: "docker.APIClient") -> tuple[SwarmView, dict[str, Any], str]:
        swarm: dict[str, Any] = client.inspect_swarm()
        locked = swarm["Spec"]["EncryptionConfig"].get("AutoLockManagers")
        return look_at(client), swarm, client.get_unlock_key()["UnlockKey"] if locked else ""

    view, swarm, unlock_key = managers.call(ask)
    assert managers.answering is not None
    return _Found(managers.answering, view, swarm, unlock_key)


def _import(operation: Operation, object_id: str) -> Seen:
    """The id is one or more `ssh://user@address:port` of managers, divided by commas; host keys are recorded."""
    if not object_id.startswith("ssh://"):
        raise SwarmError(
            f"id is {object_id!r}: a cluster id alone does not tell where the swarm is; import it by its managers, "
            "ssh://user@address:port,ssh://…"
        )
    connections = [record_host_key(operation, Connection.parse(url)) for url in object_id.split(",")]
    decision = decide(_looks(operation, connections))
    if not isinstance(decision, Adopt):
        raise SwarmError(f"id is {object_id!r}: these machines are in no swarm; create it instead")
    found = _describe(Managers(operation, connections, decision.cluster_id))
    birth = {name: value for name, value in found.birth().items() if value != FIXED[name]}
    inputs = {
        "connection": found.connection.properties(),
        "managers": [connection.properties() for connection in connections],
        "advertiseAddress": found.view.address,
        **birth,
        **found.settings(),
    }
    return Seen(decision.cluster_id, inputs, {**inputs, **found.outputs()})


def _looks(operation: Operation, connections: Sequence[Connection]) -> list[Look]:
    """What every manager says, all asked at once."""

    def look(connection: Connection) -> Look:
        try:
            return Look(connection.name, operation.look(connection))
        except (SshError, WrongHostKeyError, DaemonError) as error:
            return Look(connection.name, None, str(error))

    with ThreadPoolExecutor(max_workers=len(connections)) as pool:
        return list(pool.map(look, connections))


def _initialise(operation: Operation, connection: Connection, inputs: Properties) -> str:
    operation.progress(f"initialising the swarm on {connection.name}")
    with operation.docker(connection) as client:
        client.init_swarm(
            advertise_addr=inputs["advertiseAddress"],
            listen_addr=inputs.get("listenAddress", LISTEN),
            data_path_addr=inputs.get("dataPathAddress"),
            data_path_port=inputs.get("dataPathPort"),
            default_addr_pool=inputs.get("defaultAddressPools"),
            subnet_size=inputs.get("subnetSize"),
        )
        return look_at(client).cluster_id


def _same_birth(found: _Found, inputs: Properties) -> None:
    """An adopted swarm has to be the one that is declared: what is fixed at birth cannot be made so afterwards."""
    for name, value in found.birth().items():
        if name in inputs and inputs[name] != value:
            raise SwarmError(
                f"{name} is {_shown(inputs[name])} but the swarm {found.swarm['ID']} that exists was made with "
                f"{_shown(value)}: declare it as it is, or dissolve it (`docker swarm leave --force` on every node)"
            )


def _tell_who_stays(operation: Operation, managers: Managers) -> None:
    try:
        nodes = managers.nodes()
    except SwarmError as error:
        # A swarm that lost its majority, or is gone, cannot list its nodes; it can be dissolved all the same.
        operation.progress(str(error))
        return
    workers = [
        node["Description"]["Hostname"]
        for node in nodes
        if node["Spec"]["Role"] == "worker" and node["Status"]["State"] == "ready"
    ]
    if workers:
        operation.warn(
            f"{', '.join(workers)} stay behind as workers of a swarm that is no more: "
            "`docker swarm leave` on them before they join another"
        )


def _still_there(old_outputs: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether the endpoint in use is one of the new connections, with the same host key."""
    managers = news.get("managers")
    candidates = [news.get("connection"), *(managers if isinstance(managers, list) else [])]
    known = [Connection.of(one) for one in candidates if isinstance(one, dict) and is_known(one)]
    ends = {(one.url, one.host_key) for one in known}
    return (old_outputs.get("endpoint"), old_outputs.get("endpointHostKey")) in ends


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def go_duration(nanoseconds: int) -> str:
    """A length of time as Docker's settings write it: `2160h`, `1h30m`."""
    rest, parts = nanoseconds // NANOSECONDS, list[str]()
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
