"""`Readiness`: the gate behind which services are deployed. Tasks that are placed before all nodes joined pile up on
the first ones, and a swarm never moves them. Nodes that join by themselves have no ids beforehand: they are counted."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from typing_extensions import override

from plugins.swarm.connection import connections_of
from plugins.swarm.differences import Difference, differences
from plugins.swarm.errors import SwarmError
from plugins.swarm.fields import CONNECTION, TEXT, TEXTS, Change, Field, Fields, list_of, number
from plugins.swarm.managers import Managers
from plugins.swarm.operation import Operation
from plugins.swarm.resource import Made, Old, Properties, Resource, Seen
from plugins.swarm.values import UNKNOWN, is_known


class Readiness(Resource):
    """All nodes are ready, and at least so many workers are."""

    token: ClassVar[str] = "swarm:index:Readiness"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "managers": Field(list_of(CONNECTION, at_least=1), required=True, change=Change.NOTHING),
        "clusterId": Field(TEXT, required=True, change=Change.REPLACE),
        "nodeIds": Field(list_of(TEXT), required=True),
        "readyWorkers": Field(number(0)),
        "triggers": Field(TEXTS),
        "timeout": Field(number(1, unit=" seconds"), change=Change.NOTHING),
    }
    computed: ClassVar[tuple[str, ...]] = ("ready",)
    delete_first: ClassVar[bool] = False

    @override
    def compare(
        self, olds: Properties, old_outputs: Properties, news: Properties, ignored: Sequence[str]
    ) -> list[Difference]:
        return differences(self.fields, _in_order(olds), _in_order(news), ignored)

    @override
    def foresee(self, old_outputs: Properties, news: Properties) -> Properties:
        return {"ready": _at_least(news)}

    @override
    def create(self, operation: Operation, inputs: Properties) -> Made:
        return Made(
            f"{inputs['clusterId']}/readiness",
            _wait(operation, inputs, inputs["nodeIds"], inputs.get("readyWorkers", 0)),
        )

    @override
    def read(self, operation: Operation, object_id: str, inputs: Properties, outputs: Properties) -> Seen | None:
        if not inputs:
            raise SwarmError(f"id is {object_id!r}: a Readiness is a gate, there is nothing to import; create it")
        return Seen(object_id, inputs, outputs)

    @override
    def update(self, operation: Operation, object_id: str, old: Old, news: Properties) -> Properties:
        # Only for those that are new: a node that went down since is no reason not to add another.
        node_ids = [one for one in news["nodeIds"] if one not in old.inputs.get("nodeIds", [])]
        is_counted_anew = any(old.inputs.get(name) != news.get(name) for name in ("readyWorkers", "triggers"))
        return _wait(operation, news, node_ids, news.get("readyWorkers", 0) if is_counted_anew else 0)


def _in_order(properties: Mapping[str, Any]) -> Properties:
    """Node ids are a set: their order says nothing."""
    ids = properties.get("nodeIds")
    return {**properties, "nodeIds": sorted(ids)} if isinstance(ids, list) and is_known(ids) else dict(properties)


def _at_least(inputs: Mapping[str, Any]) -> Any:
    """How many nodes are certainly ready; workers may be among the nodes that are named."""
    ids, workers = inputs["nodeIds"], inputs.get("readyWorkers", 0)
    return max(len(ids), workers) if isinstance(ids, list) and isinstance(workers, int) else UNKNOWN


def _wait(operation: Operation, inputs: Properties, node_ids: Sequence[str], workers: int) -> Properties:
    managers = Managers(operation, connections_of(inputs, "managers"), inputs["clusterId"])
    missing: list[str] = []

    def all_ready() -> bool:
        nodes = {node["ID"]: node for node in managers.nodes()}
        states = {one: nodes[one]["Status"]["State"] if one in nodes else "unknown to the swarm" for one in node_ids}
        missing[:] = [f"{one} is {state}" for one, state in states.items() if state != "ready"]
        found = sum(map(_is_ready_worker, nodes.values()))
        if found < workers:
            missing.append(f"{found} of {workers} workers are ready and active")
        return not missing

    counted = f" and {workers} workers" if workers else ""
    operation.wait(all_ready, f"{len(node_ids)} nodes{counted} to be ready", said=lambda: ", ".join(missing))
    return {**inputs, "ready": _at_least(inputs)}


def _is_ready_worker(node: Mapping[str, Any]) -> bool:
    spec = node["Spec"]
    return (spec["Role"], spec["Availability"], node["Status"]["State"]) == ("worker", "active", "ready")
