"""`Readiness`: the gate behind which services are deployed. Tasks that are placed before all nodes joined pile up on
the first ones, and a swarm never moves them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from typing_extensions import override

from plugins.swarm.connection import connections_of
from plugins.swarm.differences import Difference, differences
from plugins.swarm.errors import SwarmError
from plugins.swarm.fields import CONNECTION, TEXT, Change, Field, Fields, list_of, number
from plugins.swarm.managers import Managers
from plugins.swarm.operation import Operation
from plugins.swarm.resource import Made, Old, Properties, Resource, Seen
from plugins.swarm.values import UNKNOWN, is_known


class Readiness(Resource):
    """All nodes are ready."""

    token: ClassVar[str] = "swarm:index:Readiness"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "managers": Field(list_of(CONNECTION, at_least=1), required=True, change=Change.NOTHING),
        "clusterId": Field(TEXT, required=True, change=Change.REPLACE),
        "nodeIds": Field(list_of(TEXT), required=True),
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
        return {"ready": len(news["nodeIds"]) if isinstance(news["nodeIds"], list) else UNKNOWN}

    @override
    def create(self, operation: Operation, inputs: Properties) -> Made:
        return Made(f"{inputs['clusterId']}/readiness", _wait(operation, inputs, inputs["nodeIds"]))

    @override
    def read(self, operation: Operation, object_id: str, inputs: Properties, outputs: Properties) -> Seen | None:
        if not inputs:
            raise SwarmError(f"id is {object_id!r}: a Readiness is a gate, there is nothing to import; create it")
        return Seen(object_id, inputs, outputs)

    @override
    def update(self, operation: Operation, object_id: str, old: Old, news: Properties) -> Properties:
        # Only for those that are new: a node that went down since is no reason not to add another.
        return _wait(operation, news, [one for one in news["nodeIds"] if one not in old.inputs.get("nodeIds", [])])


def _in_order(properties: Mapping[str, Any]) -> Properties:
    """Node ids are a set: their order says nothing."""
    ids = properties.get("nodeIds")
    return {**properties, "nodeIds": sorted(ids)} if isinstance(ids, list) and is_known(ids) else dict(properties)


def _wait(operation: Operation, inputs: Properties, node_ids: Sequence[str]) -> Properties:
    managers = Managers(operation, connections_of(inputs, "managers"), inputs["clusterId"])
    missing: list[str] = []

    def all_ready() -> bool:
        nodes = {node["ID"]: node for node in managers.nodes()}
        states = {one: nodes[one]["Status"]["State"] if one in nodes else "unknown to the swarm" for one in node_ids}
        missing[:] = [f"{one} is {state}" for one, state in states.items() if state != "ready"]
        return not missing

    operation.wait(all_ready, f"{len(node_ids)} nodes to be ready", said=lambda: ", ".join(missing))
    return {**inputs, "ready": len(inputs["nodeIds"])}
