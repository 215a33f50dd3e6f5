"""`Admission`: two errands of a member of something larger, such as a node of a distributed file system: one lets it in
when it comes, one lets it go before it is taken away. A member that may not go stays, and so does all that it depends
on: the errand's last lines are the error."""

from typing import ClassVar

from typing_extensions import override

from plugins.swarm.errors import SwarmError
from plugins.swarm.fields import CONNECTION, TEXT, TEXTS, Change, Field, Fields, list_of, number, positive
from plugins.swarm.job import MOUNTS, job_managers, remove_service, run_to_end, service_name
from plugins.swarm.managers import NoManagerError
from plugins.swarm.operation import Operation
from plugins.swarm.resource import Made, Old, Properties, Resource, Seen


class Admission(Resource):
    """A member's way in and out. A change is written down for the next errand, and runs none."""

    token: ClassVar[str] = "swarm:index:Admission"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "managers": Field(list_of(CONNECTION, at_least=1), required=True, change=Change.NOTHING),
        "clusterId": Field(TEXT, required=True, change=Change.REPLACE),
        "member": Field(TEXT, required=True, change=Change.REPLACE),
        "image": Field(TEXT, required=True),
        "admit": Field(list_of(TEXT, at_least=1), required=True),
        "release": Field(list_of(TEXT, at_least=1), required=True),
        "env": Field(TEXTS),
        "networks": Field(list_of(TEXT)),
        "mounts": Field(MOUNTS),
        "constraints": Field(list_of(TEXT)),
        "memory": Field(number(4 * 1024 * 1024, unit=" bytes")),
        "cpus": Field(positive("processors")),
        "timeout": Field(number(1, unit=" seconds"), change=Change.NOTHING),
        # What has to be there first: it orders creation and deletion, and says nothing else.
        "after": Field(list_of(TEXT), change=Change.NOTHING),
    }
    computed: ClassVar[tuple[str, ...]] = ()
    patience: ClassVar[float] = 600.0

    @override
    def create(self, operation: Operation, inputs: Properties) -> Made:
        _run(operation, inputs, "admit")
        return Made(f"{inputs['clusterId']}/{inputs['member']}", dict(inputs))

    @override
    def read(self, operation: Operation, object_id: str, inputs: Properties, outputs: Properties) -> Seen | None:
        if not inputs:
            raise SwarmError(
                f"id is {object_id!r}: an Admission is what was done, there is nothing to import; create it"
            )
        return Seen(object_id, inputs, outputs)

    @override
    def update(self, operation: Operation, object_id: str, old: Old, news: Properties) -> Properties:
        return dict(news)

    @override
    def delete(self, operation: Operation, object_id: str, properties: Properties) -> None:
        try:
            _run(operation, properties, "release")
        except NoManagerError as error:
            # There is no swarm any more that it could be a member in.
            if not error.is_gone:
                raise


def _run(operation: Operation, properties: Properties, verb: str) -> None:
    """One errand; its service goes when it is done, so that the next one of the same words runs."""
    managers = job_managers(operation, properties)
    job = {key: value for key, value in properties.items() if key not in ("admit", "release", "member", "after")}
    job["command"] = properties[verb]
    ended = run_to_end(operation, managers, service_name(f"{operation.name}-{verb}", job), job)
    remove_service(managers, ended.service_id)
