"""What a deployment has done so far, kept on disk at every moment: the new entries, the old ones, what has begun.

Steps tell the journal before they call a provider and after; `commit` returns when all that was told is durable.
Commits of steps that run at the same time share one write.
"""

import threading
from collections.abc import Iterable
from typing import Protocol

from hermetic.state import Deployment, PendingOperation, ResourceState


class Store(Protocol):
    """Where the state of a stack lies."""

    def save(self, deployment: Deployment) -> None: ...


class Journal:
    """The state between the one before the deployment (base) and the one after it."""

    def __init__(self, base: Deployment, store: Store | None) -> None:
        """Without a store nothing is written: a preview."""
        self._base = base
        self._store = store
        self._news: dict[int, ResourceState] = {}
        self._done: dict[int, ResourceState] = {}
        self._operations: dict[int, PendingOperation] = {}
        self._aliased: dict[str, str] = {}
        self._changes = 0
        self._saved = 0
        self._saving = False
        self._turn = threading.Condition()

    def begin(self, state: ResourceState, operation: str) -> None:
        """An operation on an object is about to be sent to its provider; durable when this returns."""
        with self._turn:
            self._operations[id(state)] = PendingOperation(state, operation)
            self._changes += 1
        self.commit()

    def end(self, state: ResourceState) -> None:
        """The operation ended, with success or not."""
        with self._turn:
            self._operations.pop(id(state), None)
            self._changes += 1

    def add(self, state: ResourceState) -> None:
        """An entry of the new state; its place is that of its first addition."""
        with self._turn:
            self._news[id(state)] = state
            self._changes += 1

    def drop(self, state: ResourceState) -> None:
        """An old entry that the new state does not have, or has in another form; or a new one that is gone again."""
        with self._turn:
            self._done[id(state)] = state
            self._news.pop(id(state), None)
            self._changes += 1

    def rename(self, old_urn: str, new_urn: str) -> None:
        """A resource goes on under another URN."""
        with self._turn:
            self._aliased[old_urn] = new_urn

    def touch(self) -> None:
        """An entry was changed in place."""
        with self._turn:
            self._changes += 1

    def rebase(self, resources: Iterable[ResourceState]) -> None:
        """Go on from other old entries: those that a refresh has read."""
        with self._turn:
            self._base.resources = list(resources)
            self._news.clear()
            self._done.clear()
            self._changes += 1

    def commit(self) -> None:
        """Wait until all that was told so far is on disk."""
        if self._store is None:
            return
        with self._turn:
            wanted = self._changes
            while self._saved < wanted:
                if self._saving:
                    self._turn.wait()
                else:
                    self._save(self._store)

    def _save(self, store: Store) -> None:
        """Write for all that wait; the lock is free meanwhile."""
        self._saving = True
        included = self._changes
        snapshot = self.snapshot()
        self._turn.release()
        try:
            store.save(snapshot)
        finally:
            self._turn.acquire()
            self._saving = False
            self._turn.notify_all()
        self._saved = included

    def snapshot(self) -> Deployment:
        """New entries in the order of their making, then the old ones that are still there."""
        with self._turn:
            news = list(self._news.values())
            olds = [each for each in self._base.resources if id(each) not in self._done and id(each) not in self._news]
            # Only the user can say what became of a create that nobody saw the end of.
            unresolved = [each for each in self._base.pending_operations if each.type == "creating"]
            if self._aliased:
                _rename_references([*news, *olds], self._aliased)
            return Deployment(
                manifest=self._base.manifest,
                secrets_provider=self._base.secrets_provider,
                resources=[*news, *olds],
                pending_operations=[*unresolved, *self._operations.values()],
                metadata=self._base.metadata,
                extra=self._base.extra,
            )


def _rename_references(states: list[ResourceState], names: dict[str, str]) -> None:
    """Point references to renamed resources at their new URNs."""
    for state in states:
        if state.parent in names:
            state.parent = names[state.parent]
        if state.deleted_with in names:
            state.deleted_with = names[state.deleted_with]
        if any(urn in names for urn in state.replace_with):
            state.replace_with = [names.get(urn, urn) for urn in state.replace_with]
        if any(urn in names for urn in state.dependencies):
            state.dependencies = [names.get(urn, urn) for urn in state.dependencies]
        for key, urns in state.property_dependencies.items():
            if any(urn in names for urn in urns):
                state.property_dependencies[key] = [names.get(urn, urn) for urn in urns]
        urn, _, identity = state.provider.rpartition("::")
        if urn in names:
            state.provider = f"{names[urn]}::{identity}"
