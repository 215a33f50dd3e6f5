"""What depends on what among the entries of a state."""

from collections.abc import Callable, Iterable, Iterator

from hermetic.state import ResourceState
from hermetic.urns import split_reference


def needs(state: ResourceState, *, parents: bool = True) -> Iterator[str]:
    """URNs of all that must exist as long as this entry does."""
    yield from state.dependencies
    for urns in state.property_dependencies.values():
        yield from urns
    if state.deleted_with:
        yield state.deleted_with
    if state.provider:
        yield split_reference(state.provider)[0]
    if parents and state.parent:
        yield state.parent


class DependencyGraph:
    """The entries of an old state, in their order, with the way from each to those that depend on it."""

    def __init__(self, states: Iterable[ResourceState]) -> None:
        self.states = list(states)
        self._dependents: dict[str, list[int]] = {}
        for index, state in enumerate(self.states):
            for urn in dict.fromkeys(needs(state)):
                self._dependents.setdefault(urn, []).append(index)

    def depending_on(self, root: ResourceState, ignored: Callable[[str], bool]) -> list[ResourceState]:
        """All that depends on the entry, directly or not, in order; ignored URNs lead no further."""
        found: set[int] = set()
        frontier = [root.urn]
        while frontier:
            for index in self._dependents.get(frontier.pop(), ()):
                state = self.states[index]
                if index not in found and state is not root and not ignored(state.urn):
                    found.add(index)
                    frontier.append(state.urn)
        return [self.states[index] for index in sorted(found)]


def deletion_order(states: list[ResourceState]) -> list[tuple[int, set[int]]]:
    """For the entries to delete: the index of each, and the indices of those that must be gone before it.

    Entries of one URN (an object that was replaced, and its successor) count as one thing for what depends on them.
    """
    by_urn: dict[str, list[int]] = {}
    for index, state in enumerate(states):
        by_urn.setdefault(state.urn, []).append(index)
    before: list[set[int]] = [set() for _ in states]
    for index, state in enumerate(states):
        for urn in needs(state):
            for needed in by_urn.get(urn, ()):
                if needed != index:
                    before[needed].add(index)
    return list(enumerate(before))
