"""Runs steps: calls providers, journals before and after, and stops in order when something fails."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from hermetic.events import Listener, Severity, Step
from hermetic.graph import deletion_order
from hermetic.hooks import Hooks
from hermetic.journal import Journal
from hermetic.property_paths import PathError, with_old_values
from hermetic.provider_client import PartialError, PluginError, ProviderClient, ProviderError, ReadResult
from hermetic.registry import ProviderRegistry
from hermetic.state import ResourceState, timestamp
from hermetic.steps import Diff, Op, settled, with_replace_on_changes
from hermetic.urns import is_provider_type
from hermetic.values import UNKNOWN, is_secret, secret

# A timeout of zero leaves the duration to the provider.
NO_TIMEOUT = 0.0
IMPORTED_FOREVER = (
    "previously-imported resources that still specify an ID may not be replaced; "
    "please remove the `import` declaration from your program"
)


class StoppedError(Exception):
    """The deployment ends early: an earlier step failed, or the user asked for it."""


class StepFailedError(Exception):
    """A step failed; the display has told why."""


class ProtectedError(Exception):
    """A protected resource that was to be deleted: it stays, and all that it needs; the others go."""


class Failures:
    """What went wrong so far, and whether to go on with the rest."""

    def __init__(self, *, continue_on_error: bool) -> None:
        self.continue_on_error = continue_on_error
        self.stopped = threading.Event()
        self.urns: set[str] = set()
        self.any = False

    def add(self, urn: str, *, stop: bool = True) -> None:
        """A failure of one resource; what is only refused stops nothing else."""
        self.any = True
        self.urns.add(urn)
        if stop and not self.continue_on_error:
            self.stopped.set()

    def stop(self) -> None:
        """Start nothing more."""
        self.any = True
        self.stopped.set()


class Executor:
    """Runs the steps of one deployment."""

    def __init__(
        self, *, registry: ProviderRegistry, journal: Journal, listener: Listener, hooks: Hooks, failures: Failures,
        preview: bool, parallel: int, deleting: set[str],
    ) -> None:  # fmt: skip
        """`deleting` has the URNs of all that is deleted in this deployment: their `deleted_with` go without a call."""
        self._registry = registry
        self._journal = journal
        self._listener = listener
        self._hooks = hooks
        self._failures = failures
        self._preview = preview
        self._parallel = parallel
        self._deleting = deleting
        self._places = threading.BoundedSemaphore(parallel)
        self._running = 0
        self._idle = threading.Condition()
        self._apply: dict[Op, Callable[[Step], None]] = {
            Op.SAME: self._same,
            Op.CREATE: self._create,
            Op.CREATE_REPLACEMENT: self._create,
            Op.UPDATE: self._update,
            Op.REPLACE: lambda _: None,
            Op.DELETE: self._delete,
            Op.DELETE_REPLACED: self._delete,
            Op.DISCARD: self._delete,
            Op.DISCARD_REPLACED: self._delete,
            Op.REMOVE_PENDING_REPLACE: self._forget,
            Op.READ: self._read,
            Op.READ_REPLACEMENT: self._read,
            Op.IMPORT: self._import,
            Op.IMPORT_REPLACEMENT: self._import,
            Op.REFRESH: self._refresh,
        }

    @property
    def places(self) -> threading.BoundedSemaphore:
        """At most `parallel` resources are worked on at a time."""
        return self._places

    def run(self, steps: Iterable[Step]) -> None:
        """Run steps one after the other; raises StepFailedError after the first that failed."""
        for step in steps:
            self._run(step)

    def wait_until_idle(self) -> None:
        """Wait for the steps that are running; when nothing new may start, this is the end."""
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0)

    def _run(self, step: Step) -> None:
        with self._idle:
            if self._failures.stopped.is_set():
                raise StoppedError
            self._running += 1
        try:
            self._carry_out(step)
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _carry_out(self, step: Step) -> None:
        self._listener.step_begins(step)
        partly: PartialError | None = None
        try:
            self._apply[step.op](step)
        except PartialError as error:
            partly = error
        except ProtectedError as error:
            self._fail(step, str(error), stop=False)
        except (ProviderError, PluginError) as error:
            # A refresh looks at everything, also after something could not be looked at.
            self._fail(step, str(error), stop=step.op is not Op.REFRESH)
        if step.new is not None:
            self._mark_secrets(step.new)
        if partly is not None:
            self._journal.commit()
            self._fail(step, str(partly))
        if step.op is not Op.SAME:
            self._journal.commit()
        self._listener.step_ends(step)

    def _fail(self, step: Step, message: str, *, stop: bool = True) -> None:
        self._journal.commit()
        self._failures.add(step.urn, stop=stop)
        self._listener.step_fails(step, message)
        raise StepFailedError(message)

    # -- the kinds of steps
    def _same(self, step: Step) -> None:
        old, new = step.old_state, step.new_state
        if new is not old:
            new.id, new.outputs = old.id, old.outputs
            new.created, new.modified = old.created, old.modified
            if is_provider_type(new.type):
                # A provider that sees no difference goes on with the configuration that it has.
                self._registry.use(replace(new, inputs=old.inputs))
        self._journal.drop(old)
        self._journal.add(new)

    def _create(self, step: Step) -> None:
        new = step.new_state
        self._hooks.before("create", new.resource_hooks.get("BeforeCreate", ()), step)
        partly: PartialError | None = None
        if new.custom:
            partly = self._operate(new, "creating", lambda: self._call_create(new))
        new.created = new.modified = timestamp()
        self._journal.add(new)
        if step.old is not None and step.old.pending_replacement:
            self._journal.drop(step.old)
        if step.delete_old_later:
            step.old_state.delete = True
            self._journal.touch()
        if partly is not None:
            raise partly
        self._hooks.after("create", new.resource_hooks.get("AfterCreate", ()), step)

    def _call_create(self, new: ResourceState) -> None:
        if is_provider_type(new.type):
            new.id, new.outputs = self._registry.create(new.urn, new.inputs)
            return
        timeout = _timeout(new, "create")
        new.id, new.outputs = self._client(new).create(new.urn, new.inputs, timeout, preview=self._preview)

    def _operate(self, state: ResourceState, operation: str, call: Callable[[], None]) -> PartialError | None:
        """A call that changes something outside; the journal has it before and after."""
        self._journal.begin(state, operation)
        try:
            call()
        except PartialError as error:
            state.id = error.id or state.id
            state.outputs, state.init_errors = error.outputs, error.reasons
            return error
        finally:
            self._journal.end(state)
        return None

    def _update(self, step: Step) -> None:
        old, new = step.old_state, step.new_state
        self._hooks.before("update", new.resource_hooks.get("BeforeUpdate", ()), step)
        partly: PartialError | None = None
        if new.custom:
            partly = self._operate(new, "updating", lambda: self._call_update(old, new))
        new.id, new.created, new.modified = new.id or old.id, old.created, timestamp()
        self._journal.drop(old)
        self._journal.add(new)
        if partly is not None:
            raise partly
        self._hooks.after("update", new.resource_hooks.get("AfterUpdate", ()), step)

    def _call_update(self, old: ResourceState, new: ResourceState) -> None:
        new.id = old.id
        if is_provider_type(new.type):
            new.outputs = self._registry.update(new.urn, new.id, new.inputs)
            return
        new.outputs = self._client(new).update(
            new.urn, new.id, old.inputs, old.outputs, new.inputs, _timeout(new, "update"), new.ignore_changes,
            preview=self._preview,
        )  # fmt: skip

    def _delete(self, step: Step) -> None:
        old = step.old_state
        if step.op in {Op.DELETE, Op.DISCARD} and old.protect:
            raise ProtectedError(protected_message(old.urn, "cannot be deleted because it is protected"))
        hooks = old.resource_hooks
        self._hooks.before("delete", hooks.get("BeforeDelete", ()), step)
        if not self._preview and self._has_object(old):
            self._journal.begin(old, "deleting")
            try:
                self._client(old).delete(old.urn, old.id, old.inputs, old.outputs, _timeout(old, "delete"))
            finally:
                self._journal.end(old)
        if step.awaits_replacement:
            old.pending_replacement = True
            self._journal.touch()
        else:
            self._journal.drop(old)
        self._hooks.after("delete", hooks.get("AfterDelete", ()), step)

    def _has_object(self, old: ResourceState) -> bool:
        """Whether there is something to delete by a call."""
        kept = old.external or old.retain_on_delete or old.deleted_with in self._deleting
        return old.custom and not is_provider_type(old.type) and not kept

    def _forget(self, step: Step) -> None:
        self._journal.drop(step.old_state)

    def _read(self, step: Step) -> None:
        new = step.new_state
        partly: PartialError | None = None
        if new.id == UNKNOWN:
            new.outputs = {}
        else:
            partly = self._operate(new, "reading", lambda: self._call_read(new))
        new.inputs = {}
        if step.delete_old_later:
            step.old_state.delete = True
        elif step.old is not None:
            self._journal.drop(step.old)
            new.created, new.modified = step.old.created, step.old.modified
        new.created = new.created or timestamp()
        new.modified = new.modified or new.created
        self._journal.add(new)
        if partly is not None:
            raise partly

    def _call_read(self, new: ResourceState) -> None:
        found = self._client(new).read(new.urn, new.id, None, new.inputs or None)
        if found is None:
            raise ProviderError(f"resource '{new.id}' does not exist")
        new.id, new.outputs = found.id, found.outputs

    def _import(self, step: Step) -> None:
        """Take an object over: read it, and see what the program wants to be different."""
        new = step.new_state
        client = self._client(new)
        self._journal.begin(new, "importing")
        try:
            found = client.read(new.urn, new.id, None, None)
        except PartialError as error:
            # An object that is not healthy is taken over all the same, and updated at once.
            new.init_errors = error.reasons
            found = ReadResult(error.id or new.id, error.inputs, error.outputs)
        finally:
            self._journal.end(new)
        if found is None:
            raise ProviderError(f"resource '{new.id}' does not exist")
        if found.inputs is None:
            raise ProviderError(
                f"provider does not support importing resources; please try updating the '{client.package}' plugin"
            )
        try:
            wanted = with_old_values(step.program_inputs, found.inputs, new.ignore_changes)
        except PathError as error:
            raise ProviderError(f"{new.urn}: {error}") from error
        new.inputs = client.check(new.urn, found.inputs, wanted)
        diff = settled(
            client.diff(new.urn, found.id, found.inputs, found.outputs, new.inputs, new.ignore_changes),
            found.inputs,
            new.inputs,
        )
        diff = with_replace_on_changes(diff, new.replace_on_changes, unhealthy=bool(new.init_errors))
        if step.delete_old_later:
            step.old_state.delete = True
        wanted = new.inputs
        new.id, new.inputs, new.outputs = found.id, found.inputs, found.outputs
        new.created = new.modified = timestamp()
        self._journal.add(new)
        if not diff.changes and not new.init_errors:
            new.inputs = wanted
            return
        if diff.replaces:
            self._refuse_other_object(new)
        self._journal.commit()
        self._listener.step_ends(step)
        imported = replace(new)
        self._journal.add(imported)
        self._journal.drop(new)
        new.inputs, new.init_errors = wanted, []
        update = Step(Op.UPDATE, new.urn, imported, new, diff)
        self._listener.step_begins(update)
        self._update(update)
        step.op, step.old, step.diff = Op.UPDATE, imported, diff

    def _refuse_other_object(self, imported: ResourceState) -> None:
        """An object that can only become what the program wants by a replacement stays as it was found."""
        if not self._preview:
            raise ProviderError(IMPORTED_FOREVER)
        self._listener.message(Severity.WARNING, imported.urn, IMPORTED_FOREVER)

    def _refresh(self, step: Step) -> None:
        """Look at the object; `new` becomes None when it is gone."""
        old = step.old_state
        # What was deleted and not made again yet has no object to look at.
        if not old.custom or is_provider_type(old.type) or old.pending_replacement:
            return
        client = self._client(old)
        init_errors: list[str] = []
        try:
            found = client.read(old.urn, old.id, old.inputs, old.outputs)
        except PartialError as error:
            identity, inputs, outputs, init_errors = error.id or old.id, error.inputs, error.outputs, error.reasons
            self._listener.message(Severity.WARNING, old.urn, f"resource is unhealthy: {'; '.join(init_errors)}")
        else:
            if found is None:
                step.new = None
                return
            identity, inputs, outputs = found.id, found.inputs, found.outputs
        inputs = old.inputs if inputs is None else inputs
        new = replace(old, id=identity, inputs=inputs, outputs=outputs, init_errors=init_errors)
        step.new = new
        step.diff = self._drift(client, old, new)
        if (new.inputs, new.outputs, new.init_errors) != (old.inputs, old.outputs, old.init_errors):
            new.modified = timestamp()

    def _drift(self, client: ProviderClient, old: ResourceState, new: ResourceState) -> Diff:
        """What an update would undo; an object that others made has no inputs, only outputs to compare."""
        if old.external:
            return settled(Diff(changes=None), new.outputs, old.outputs)
        diff = client.diff(new.urn, new.id, new.inputs, new.outputs, old.inputs, old.ignore_changes)
        return settled(diff, new.inputs, old.inputs)

    # -- what steps share
    def _client(self, state: ResourceState) -> ProviderClient:
        return self._registry.client(state.provider)

    def _mark_secrets(self, state: ResourceState) -> None:
        """Outputs are secret where the program says so, and where the input of that name is; ids never are."""
        leaking = [key for key, value in state.inputs.items() if is_secret(value)]
        wanted = [key for key in state.additional_secret_outputs if key != "id"]
        if len(wanted) < len(state.additional_secret_outputs):
            self._listener.message(
                Severity.WARNING, state.urn, "additional_secret_outputs names id: ids are never secret"
            )
        for key in [*wanted, *leaking]:
            if key in state.outputs and not is_secret(state.outputs[key]) and not is_provider_type(state.type):
                state.outputs = state.outputs | {key: secret(state.outputs[key])}

    # -- many steps at once
    def run_deletions(self, steps: list[Step]) -> None:
        """Delete in parallel, each after all that depends on it; what a failure hangs on stays."""
        order = deletion_order([step.old_state for step in steps])
        waiting = {index: set(before) for index, before in order}
        dependents_of: dict[int, list[int]] = {}
        for index, before in order:
            for each in before:
                dependents_of.setdefault(each, []).append(index)
        ready = [index for index, before in order if not before]
        running: dict[Future[bool], int] = {}
        with ThreadPoolExecutor(self._parallel, "delete") as pool:
            while ready or running:
                while ready and len(running) < self._parallel and not self._failures.stopped.is_set():
                    index = ready.pop(0)
                    running[pool.submit(self._delete_one, steps[index])] = index
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda each: running[each]):
                    index = running.pop(future)
                    if not future.result():
                        continue
                    for freed in dependents_of.get(index, ()):
                        waiting[freed].discard(index)
                        if not waiting[freed]:
                            ready.append(freed)

    def _delete_one(self, step: Step) -> bool:
        try:
            self._run(step)
        except (StepFailedError, StoppedError):
            return False
        return True

    def run_refreshes(self, steps: list[Step]) -> None:
        """Read in parallel; the order does not matter."""
        with ThreadPoolExecutor(self._parallel, "refresh") as pool:
            list(pool.map(self._delete_one, steps))


def _timeout(state: ResourceState, operation: str) -> float:
    return float(state.custom_timeouts.get(operation, NO_TIMEOUT))


def protected_message(urn: str, what: str) -> str:
    """Why nothing happens to a protected resource, and what to do about it."""
    return (
        f'resource "{urn}" {what}. To unprotect the resource, remove the `protect` flag from the resource in your '
        "Pulumi program and run `pulumi up`"
    )
