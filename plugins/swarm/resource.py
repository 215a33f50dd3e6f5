"""What every resource type gives to the server: its properties, what they mean, and the four verbs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from plugins.swarm.differences import Difference, differences
from plugins.swarm.fields import Failure, Fields
from plugins.swarm.operation import Operation
from plugins.swarm.values import UNKNOWN

Properties = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """An object as it stands: its id and all that the state keeps of it."""

    id: str
    outputs: Properties


@dataclass(frozen=True, slots=True)
class Old:
    """An object as the state has it before an update."""

    inputs: Properties
    outputs: Properties


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at an object found: its id, the inputs as they are really set, and its outputs."""

    id: str
    inputs: Properties
    outputs: Properties


class Resource:
    """One resource type. Values are plain: the server marks and unmarks secrets.

    Deletion does nothing and updates keep all outputs unless a type says otherwise; create and read are a type's own.
    """

    token: ClassVar[str]
    fields: ClassVar[Fields]
    computed: ClassVar[tuple[str, ...]]
    # Outputs that are secret by nature.
    secret_outputs: ClassVar[frozenset[str]] = frozenset()
    # Whether a replacement deletes first: a machine is a member once, a job runs under its name once.
    delete_first: ClassVar[bool] = True
    # Outputs that no update changes.
    stable: ClassVar[tuple[str, ...]] = ()
    # Seconds for create, update and delete where the user gives none.
    patience: ClassVar[float] = 300.0

    def refuse(self, olds: Properties, news: Properties) -> list[Failure]:  # noqa: ARG002 - for subclasses
        """What is wrong with the inputs as a whole, or cannot change from the old inputs (empty for a new object)."""
        return []

    def compare(
        self,
        olds: Properties,
        old_outputs: Properties,  # noqa: ARG002 - for subclasses
        news: Properties,
        ignored: Sequence[str],
    ) -> list[Difference]:
        """What differs."""
        return differences(self.fields, olds, news, ignored)

    def foresee(self, old_outputs: Properties, news: Properties) -> Properties:  # noqa: ARG002 - for subclasses
        """Computed outputs after an update (or a create, when there are no old ones) as far as a preview can know."""
        return {name: old_outputs.get(name, UNKNOWN) for name in self.computed}

    def create(self, operation: Operation, inputs: Properties) -> Made:
        """Make it, or find it where it already is."""
        raise NotImplementedError

    def read(self, operation: Operation, object_id: str, inputs: Properties, outputs: Properties) -> Seen | None:
        """Look at it; None when it is gone. Without inputs it is an import or a look-up by id."""
        raise NotImplementedError

    def update(self, operation: Operation, object_id: str, old: Old, news: Properties) -> Properties:
        """Make it as the new inputs say; gives the outputs."""
        raise NotImplementedError

    def delete(self, operation: Operation, object_id: str, properties: Properties) -> None:
        """Remove it; an object that is gone already is no error."""

    def all_unknown(self) -> Properties:
        """The computed outputs of an object that does not exist yet."""
        return dict.fromkeys(self.computed, UNKNOWN)
