"""Which swarm a set of managers is in, from what each of them says: the decision to adopt, to initialise, or to refuse.
Pure, because a wrong answer makes a second swarm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from plugins.swarm.daemon import SwarmView
from plugins.swarm.errors import SwarmError


@dataclass(frozen=True, slots=True)
class Look:
    """What one manager said: its view, or why it gave none."""

    name: str
    view: SwarmView | None
    trouble: str = ""

    def told(self) -> str:
        """In words, for messages."""
        return f"{self.name} {self.view.told()}" if self.view else f"{self.name} does not answer ({self.trouble})"


@dataclass(frozen=True, slots=True)
class Adopt:
    """A swarm exists: `cluster_id`, found through the manager `name`."""

    cluster_id: str
    name: str


Decision = Adopt | Literal["initialise"]


def decide(looks: Sequence[Look]) -> Decision:
    """Adopt the swarm that the managers agree on, or initialise where all of them say that they are in none.

    A manager that does not answer might be in a swarm: then nothing is initialised. Workers may become managers later.
    """
    said = "; ".join(look.told() for look in looks)
    managing = [look for look in looks if look.view and look.view.state == "active" and look.view.is_manager]
    ids = {look.view.cluster_id for look in managing if look.view}
    if len(ids) > 1:
        raise SwarmError(
            f"managers are in {len(ids)} swarms: {said}. Take those that do not belong here out of their swarm "
            "(`docker swarm leave --force` on them), then run again"
        )
    if managing:
        return Adopt(ids.pop(), managing[0].name)
    if all(look.view and look.view.state == "inactive" for look in looks):
        return "initialise"
    raise SwarmError(
        f"no manager can tell which swarm this is: {said}. No swarm is initialised while one may exist: make all of "
        "managers answer, unlock them, or take them out of their old swarm (`docker swarm leave --force`)"
    )
