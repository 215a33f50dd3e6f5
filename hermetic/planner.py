"""Turns registrations of the program into steps, and after the program what is left of the old state into deletions."""

import threading
from collections.abc import Iterable
from dataclasses import replace

from hermetic.events import Listener, Severity, Step
from hermetic.executor import IMPORTED_FOREVER, Failures, protected_message
from hermetic.goals import Alias, Goal, Plan, PlanError, Targets, unknown_target
from hermetic.graph import DependencyGraph, needs
from hermetic.property_paths import PathError, with_old_values
from hermetic.provider_client import CheckFailedError, DiffUnavailableError, PluginError, ProviderError
from hermetic.registry import ProviderRegistry
from hermetic.state import ResourceState
from hermetic.steps import (
    NO_DIFF,
    Case,
    Change,
    Deletion,
    Diff,
    Op,
    case_of,
    change_of,
    compare,
    deletion_of,
    same_value,
    settled,
    with_replace_on_changes,
)
from hermetic.urns import is_provider_type, make_urn, name_of, split_reference, type_of
from hermetic.values import UNKNOWN, PropertyMap, contains_unknown, strip_secrets, without_unknowns


class Planner:
    """Knows the old state and all that was registered so far.

    Provider calls for different resources run at the same time; what is known of all is changed under one lock.
    """

    def __init__(
        self,
        *,
        stack: str,
        project: str,
        olds: Iterable[ResourceState],
        registry: ProviderRegistry,
        listener: Listener,
        failures: Failures,
        targets: Targets,
        preview: bool,
    ) -> None:
        self._stack = stack
        self._project = project
        self._registry = registry
        self._listener = listener
        self._failures = failures
        self._targets = targets
        self._preview = preview
        self._lock = threading.RLock()
        self.all_olds = list(olds)
        self._graph = DependencyGraph(self.all_olds)
        self._olds = {state.urn: state for state in self.all_olds if not state.delete}
        self._registered: set[str] = set()
        self._seen: set[str] = set()
        self._replaced: set[str] = set()
        self._skipped: set[str] = set()
        self._targeted = set(targets.urns)
        self.renamed: dict[str, str] = {}
        self._old_names: dict[str, str] = {}
        # Deleted in this deployment: by a cascade, or after the program.
        self.deleting: set[str] = set()
        self._deleted_first: set[int] = set()

    # -- registrations
    def plan(self, goal: Goal) -> Plan:
        """The steps for a registration; raises PlanError where the user has to change something."""
        urn, old = self._claim(goal)
        with self._lock:
            recreating = urn in self.deleting or (old is not None and old.urn in self.deleting)
        targeted = self._is_targeted(urn, goal)
        case = case_of(
            exists=old is not None,
            custom=goal.custom,
            external=old is not None and old.external,
            recreating=recreating,
            targeted=targeted,
            import_id=goal.import_id,
            known_id=(old.import_id or old.id) if old else "",
        )
        if case is Case.SKIP:
            self._skipped.add(urn)
            return Plan(urn)
        if case is Case.KEEP and old is not None:
            return self._keep(urn, goal, old)
        new = self._new_state(goal, urn)
        if case in {Case.IMPORT, Case.IMPORT_REPLACEMENT}:
            self._refuse_skipped_needs(urn, goal)
            return self._plan_import(goal, old, new, replacing=case is Case.IMPORT_REPLACEMENT)
        fresh = old is None or case in {Case.RECREATE, Case.ADOPT}
        new.inputs = self._check(goal, new, None if fresh or old is None else old)
        plan = self._plan_case(case, goal, old, new)
        self._refuse_skipped_needs(urn, goal)
        # What hangs on a failed resource is looked at, and left as it is.
        return self._after_failure(plan, goal, old) if self._needs_a_failed_one(goal) else plan

    def _plan_case(self, case: Case, goal: Goal, old: ResourceState | None, new: ResourceState) -> Plan:
        urn = new.urn
        if old is None:
            return Plan(urn, [Step(Op.CREATE, urn, None, new)], new)
        if case is Case.COMPARE:
            return Plan(urn, self._compare(goal, old, new), new)
        self._note_seen(old)
        with self._lock:
            self._replaced.add(urn)
        later = case is Case.ADOPT
        steps = [
            Step(Op.CREATE_REPLACEMENT, urn, old, new, delete_old_later=later),
            Step(Op.REPLACE, urn, old, new),
        ]
        return Plan(urn, steps if later else steps[::-1], new)

    def _after_failure(self, plan: Plan, goal: Goal, old: ResourceState | None) -> Plan:
        self._failures.urns.add(plan.urn)
        if old is None or plan.urn in self._replaced:
            return Plan(plan.urn, failed=True)
        kept = self._kept(plan.urn, goal, old)
        kept.failed = True
        return kept

    def _keep(self, urn: str, goal: Goal, old: ResourceState) -> Plan:
        """A resource that is no target: it stays, with all that it needs, also what the program has no more."""
        self._note_seen(old)
        self._refuse_lost_provider(urn, old)
        plan = self._kept(urn, goal, old)
        plan.steps[:0] = self._keep_needs(old)
        return plan

    def _keep_needs(self, state: ResourceState) -> list[Step]:
        """Steps that put what an entry needs before it; what the program registered is there already."""
        steps: list[Step] = []
        for urn in (state.parent, *needs(state, parents=False)):
            with self._lock:
                needed = self._olds.get(urn)
                handled = urn in self._registered or urn in self._seen or urn in self.renamed
                if needed is None or handled or is_provider_type(needed.type):
                    continue
                self._seen.add(urn)
            steps += [*self._keep_needs(needed), Step(Op.SAME, urn, needed, needed)]
        return steps

    def _refuse_lost_provider(self, urn: str, old: ResourceState) -> None:
        known = split_reference(old.provider)[0] in self.renamed or self._registry.inputs(old.provider) is not None
        if old.provider and not known:
            raise PlanError(
                f"provider {old.provider} for resource {urn} has not been registered yet: a change of providers cannot "
                "be mixed with --target; go back to the former provider in the program, or leave the targets out once"
            )

    def _kept(self, urn: str, goal: Goal, old: ResourceState) -> Plan:
        """The resource as it is, but for its name."""
        state = old if old.urn == urn else replace(old, urn=urn, type=goal.type, parent=goal.parent)
        return Plan(urn, [Step(Op.SAME, urn, old, state)], state)

    def _needs_a_failed_one(self, goal: Goal) -> bool:
        failed = self._failures.urns
        if not failed:
            return False
        provider = split_reference(goal.provider)[0] if goal.provider else ""
        return not failed.isdisjoint({*goal.dependencies, goal.parent, goal.deleted_with, provider})

    def plan_read(self, goal: Goal, identity: str) -> Plan:
        """The steps for an object that the program only looks at."""
        urn, old = self._claim(goal, aliases=False)
        new = self._new_state(goal, urn)
        new.id, new.external, new.property_dependencies = identity, True, {}
        if old is not None and not old.external and old.id != identity:
            self._note_seen(old)
            with self._lock:
                self._replaced.add(urn)
            read = Step(Op.READ_REPLACEMENT, urn, old, new, delete_old_later=True)
            return Plan(urn, [read, Step(Op.REPLACE, urn, old, new)], new)
        if old is not None:
            self._note_seen(old)
        return Plan(urn, [Step(Op.READ, urn, old, new)], new)

    def _claim(self, goal: Goal, *, aliases: bool = True) -> tuple[str, ResourceState | None]:
        """The URN of a registration, which nothing else may have, and its entry in the old state."""
        urn = self._urn(goal.parent, goal.type, goal.name)
        with self._lock:
            if urn in self._registered:
                raise PlanError(f"Duplicate resource URN '{urn}'; try giving it a unique name")
            if urn in self._seen or urn in self.renamed:
                raise PlanError(f"Duplicate resource alias '{urn}': another resource was registered with this alias")
            self._registered.add(urn)
            for name in (urn, *(self._aliases_of(goal) if aliases else ())):
                old = self._olds.get(name)
                if old is None:
                    continue
                if name != urn:
                    self._take_over(urn, name)
                return urn, old
        return urn, None

    def _take_over(self, urn: str, alias: str) -> None:
        if alias in self._registered:
            raise PlanError(
                f"Duplicate resource alias '{alias}' applied to resource with URN '{urn}': "
                "a resource with that URN is registered too"
            )
        if alias in self.renamed:
            raise PlanError(
                f"Duplicate resource alias '{alias}' applied to resource with URN '{urn}' conflicting with resource "
                f"with URN '{self.renamed[alias]}'"
            )
        self.renamed[alias] = urn
        self._old_names[urn] = alias

    def _aliases_of(self, goal: Goal) -> list[str]:
        """All old names of a resource: its own aliases, and what it was called under an old name of its parent."""
        found: dict[str, None] = {}
        for alias in goal.aliases:
            found.setdefault(self._alias_urn(goal, alias))
        old_parent = self._old_names.get(goal.parent)
        if old_parent is not None:
            found.setdefault(self._inherited(goal.parent, old_parent, goal.name, goal.type))
            for alias in goal.aliases:
                urn = self._alias_urn(goal, alias)
                found.setdefault(self._inherited(goal.parent, old_parent, name_of(urn), type_of(urn)))
        return list(found)

    def _alias_urn(self, goal: Goal, alias: Alias) -> str:
        if alias.urn:
            return alias.urn
        # A parent that goes by another name now had its old one when the resource was made.
        parent = "" if alias.no_parent else self._old_names.get(alias.parent, alias.parent) or goal.parent
        return make_urn(
            stack=alias.stack or self._stack, project=alias.project or self._project, parent=parent,
            type_token=alias.type or goal.type, name=alias.name or goal.name,
        )  # fmt: skip

    def _inherited(self, parent: str, old_parent: str, name: str, type_token: str) -> str:
        # Children are often called after their parent: then they were called after its old name.
        prefix = name_of(parent)
        if name.startswith(prefix):
            name = name_of(old_parent) + name[len(prefix) :]
        return self._urn(old_parent, type_token, name)

    def _urn(self, parent: str, type_token: str, name: str) -> str:
        return make_urn(stack=self._stack, project=self._project, parent=parent, type_token=type_token, name=name)

    def _new_state(self, goal: Goal, urn: str) -> ResourceState:
        return ResourceState(
            urn=urn,
            type=goal.type,
            custom=goal.custom,
            inputs=goal.inputs,
            parent=goal.parent,
            protect=bool(goal.protect),
            dependencies=list(goal.dependencies),
            provider=goal.provider,
            property_dependencies=goal.property_dependencies,
            additional_secret_outputs=goal.additional_secret_outputs,
            custom_timeouts=goal.custom_timeouts,
            import_id=goal.import_id,
            retain_on_delete=bool(goal.retain_on_delete),
            deleted_with=goal.deleted_with,
            replace_with=goal.replace_with,
            ignore_changes=goal.ignore_changes,
            replace_on_changes=goal.replace_on_changes,
            replacement_trigger=goal.replacement_trigger,
            hide_diff=goal.hide_diff,
            resource_hooks=goal.hooks,
            source_position=goal.source_position,
        )

    def _note_seen(self, old: ResourceState) -> None:
        with self._lock:
            self._seen.add(old.urn)

    def _is_targeted(self, urn: str, goal: Goal) -> bool:
        provider = split_reference(goal.provider)[0] if goal.provider else ""
        needed = {*goal.dependencies, goal.parent, goal.deleted_with, provider}
        with self._lock:
            depends = self._targets.with_dependents and not self._targeted.isdisjoint(needed)
            if self._targets.names(urn) or depends:
                self._targeted.add(urn)
        return depends or self._targets.includes(urn)

    def _refuse_skipped_needs(self, urn: str, goal: Goal) -> None:
        """What is to be changed cannot need what is not made; a preview tells of each such thing, once."""
        with self._lock:
            missing = sorted(self._skipped.intersection({*goal.dependencies, goal.parent, goal.deleted_with}))
            self._skipped.difference_update(missing)
        for each in missing:
            self._refuse(
                urn,
                f"resource '{urn}' depends on '{each}' which was not specified in --target list: "
                "add it to the targets, or leave the targets out once",
            )

    def _refuse(self, urn: str, message: str) -> None:
        """End the deployment; a preview goes on to show the rest, and fails in the end."""
        if not self._preview:
            raise PlanError(message)
        self._listener.message(Severity.ERROR, urn, message)
        self._failures.any = True

    # -- inputs and differences
    def _check(self, goal: Goal, new: ResourceState, old: ResourceState | None) -> PropertyMap:
        """The inputs as the provider wants them; without an old entry its defaults are made anew."""
        # Only a preview has unknowns; elsewhere they come from resources that failed.
        olds, news = None, goal.inputs if self._preview or not goal.custom else without_unknowns(goal.inputs)
        if old is not None:
            olds = old.inputs
            try:
                news = with_old_values(news, old.inputs, goal.ignore_changes)
            except PathError as error:
                raise PlanError(f"{new.urn}: {error}") from error
        if not goal.custom:
            return news
        try:
            if is_provider_type(goal.type):
                return self._registry.check(new.urn, olds, news)
            return self._registry.client(new.provider).check(new.urn, olds, news)
        except CheckFailedError as error:
            raise PlanError(_check_message(new, error)) from error
        except (ProviderError, PluginError) as error:
            raise PlanError(str(error)) from error

    def _compare(self, goal: Goal, old: ResourceState, new: ResourceState) -> list[Step]:
        """The steps for a resource that exists."""
        try:
            diff = self._diff(goal, old, new)
        except (ProviderError, PluginError) as error:
            raise PlanError(str(error)) from error
        unhealthy = bool(old.init_errors)
        diff = with_replace_on_changes(diff, goal.replace_on_changes, unhealthy=unhealthy)
        change = change_of(
            diff, unhealthy=unhealthy, delete_before_replace=goal.delete_before_replace,
            pending_replacement=old.pending_replacement,
        )  # fmt: skip
        self._note_seen(old)
        if change is Change.NONE:
            return [Step(Op.SAME, new.urn, old, new)]
        if change is Change.UPDATE:
            return [Step(Op.UPDATE, new.urn, old, new, diff)]
        return self._replace(goal, old, new, diff, delete_first=change is Change.REPLACE_DELETE_FIRST)

    def _replace(
        self, goal: Goal, old: ResourceState, new: ResourceState, diff: Diff, *, delete_first: bool
    ) -> list[Step]:
        urn = new.urn
        # The same update may take the protection off.
        if old.protect and goal.protect:
            self._refuse(urn, protected_message(urn, "cannot be replaced because it is protected"))
        if goal.import_id and not self._preview:
            raise PlanError(IMPORTED_FOREVER)
        if goal.import_id:
            self._listener.message(Severity.WARNING, urn, IMPORTED_FOREVER)
        with self._lock:
            self._replaced.update((urn, old.urn))
        # The defaults that were taken over from the old object are made anew.
        new.inputs = self._check(goal, new, None)
        create = Step(Op.CREATE_REPLACEMENT, urn, old, new, diff, delete_old_later=not delete_first)
        replacement = Step(Op.REPLACE, urn, old, new, diff)
        if delete_first:
            return [*self._cascade(old), replacement, create]
        return [create, replacement]

    def _diff(self, goal: Goal, old: ResourceState, new: ResourceState) -> Diff:
        reason = self._reason_to_replace(goal, old)
        if reason is not None:
            return reason
        if not is_provider_type(goal.type) and self._provider_changed(old, new):
            return Diff(changes=True, replace_keys=("provider",))
        if not goal.custom:
            return Diff(changes=True) if compare(old.inputs, new.inputs) else NO_DIFF
        if is_provider_type(goal.type):
            return self._registry.diff(new.urn, old.inputs, old.outputs, new.inputs)
        client = self._registry.client(new.provider)
        try:
            answer = client.diff(new.urn, old.id, old.inputs, old.outputs, new.inputs, goal.ignore_changes)
        except DiffUnavailableError as error:
            self._listener.message(Severity.WARNING, new.urn, str(error))
            return Diff(changes=True)
        # The provider may have put a default where the program is to be ignored.
        wanted = new.inputs if answer.changes is not None else _without_ignored(goal, old, new)
        return settled(answer, old.inputs, wanted)

    def _provider_changed(self, old: ResourceState, new: ResourceState) -> bool:
        """Whether another provider means another object; a component that became a resource always does."""
        if not old.provider or not new.provider:
            return old.provider != new.provider
        with self._lock:
            renamed = self.renamed.get(split_reference(old.provider)[0]) == split_reference(new.provider)[0]
        return not renamed and self._registry.changed(old.provider, new.provider)

    def _reason_to_replace(self, goal: Goal, old: ResourceState) -> Diff | None:
        """Reasons that need no provider: a trigger, or another resource that is replaced."""
        trigger, last = strip_secrets(goal.replacement_trigger), strip_secrets(old.replacement_trigger)
        if trigger is not None and (contains_unknown(trigger) or not same_value(last, trigger)):
            return Diff(changes=True, forced=True)
        with self._lock:
            if not self._replaced.isdisjoint(goal.replace_with):
                return Diff(changes=True, replace_keys=("replaceWith",))
            if goal.deleted_with and goal.deleted_with in self._replaced:
                return Diff(changes=True, replace_keys=("deletedWith",))
        return None

    def _cascade(self, root: ResourceState) -> list[Step]:
        """Deletions that come before the creation of a replacement: of the old object and of what needs it."""
        with self._lock:
            dependents = self.dependents_to_replace(root)
            for each in reversed(dependents):
                if each.protect and not each.delete:
                    self._refuse_cascade(root, each)
            steps = [self._delete_first(each) for each in reversed(dependents)]
            self.deleting.add(root.urn)
            self._deleted_first.add(id(root))
            self._use_old_provider(root)
            if not root.pending_replacement:
                steps.append(Step(Op.DELETE_REPLACED, root.urn, root, awaits_replacement=True))
        return steps

    def _refuse_cascade(self, root: ResourceState, dependent: ResourceState) -> None:
        """No preview goes on after this: what it would show depends on what cannot be."""
        raise PlanError(
            protected_message(
                dependent.urn, f'cannot be replaced as part of replacing "{root.urn}" because it is protected'
            )
        )

    def _delete_first(self, state: ResourceState) -> Step:
        self.deleting.add(state.urn)
        self._deleted_first.add(id(state))
        self._use_old_provider(state)
        if state.delete:
            return Step(Op.DELETE, state.urn, state)
        return Step(Op.DELETE_REPLACED, state.urn, state, awaits_replacement=True)

    def dependents_to_replace(self, root: ResourceState) -> list[ResourceState]:
        """Dependants that a change of the root would replace, in order of their dependencies."""
        replacing = {root.urn}
        found: list[ResourceState] = []
        for state in self._graph.depending_on(root, self._registered.__contains__):
            if id(state) not in self._deleted_first and self._must_be_replaced(state, replacing):
                replacing.add(state.urn)
                found.append(state)
        return found

    def _must_be_replaced(self, state: ResourceState, replacing: set[str]) -> bool:
        """Whether an entry would be replaced when all that comes from replaced resources is unknown."""
        if not state.custom or state.external:
            return False
        if state.provider and split_reference(state.provider)[0] in replacing:
            return True
        inputs = {
            key: UNKNOWN if not replacing.isdisjoint(state.property_dependencies.get(key) or ()) else value
            for key, value in state.inputs.items()
        }
        if inputs == state.inputs:
            return False
        if is_provider_type(state.type):
            return self._registry.diff_old(state, inputs).replaces
        client = self._registry.client(state.provider)
        return settled(
            client.diff(state.urn, state.id, state.inputs, state.outputs, inputs, []), state.inputs, inputs
        ).replaces

    def _plan_import(self, goal: Goal, old: ResourceState | None, new: ResourceState, *, replacing: bool) -> Plan:
        new.id = goal.import_id
        if old is not None:
            self._note_seen(old)
        if not replacing:
            return Plan(new.urn, [Step(Op.IMPORT, new.urn, None, new, program_inputs=goal.inputs)], new)
        with self._lock:
            self._replaced.add(new.urn)
        steps = [
            Step(Op.IMPORT_REPLACEMENT, new.urn, old, new, delete_old_later=True, program_inputs=goal.inputs),
            Step(Op.REPLACE, new.urn, old, new),
        ]
        return Plan(new.urn, steps, new)

    # -- what is left
    def plan_deletions(self) -> list[Step]:
        """Deletions of what the program did not register, and of old objects of replaced resources."""
        self._refuse_unknown_targets()
        wanted = self._wanted_targets() if self._targets.urns else None
        held = self._needed_by_failed_ones()
        steps: list[Step] = []
        for state in reversed(self.all_olds):
            if id(state) in self._deleted_first and (state.delete or state.urn in self._registered):
                continue
            if id(state) in held:
                continue
            op = deletion_of(_deletion(state, seen=state.urn in self._seen or state.urn in self.renamed))
            if op is not None and (wanted is None or state.urn in wanted):
                steps.append(Step(op, state.urn, state))
        return self.prepare_deletions(steps)

    def _needed_by_failed_ones(self) -> set[int]:
        """Entries that must stay, as what failed stays as it was and needs them."""
        frontier = [self._olds.get(self._old_names.get(urn, urn)) for urn in self._failures.urns]
        held: set[int] = set()
        while frontier:
            state = frontier.pop()
            for urn in needs(state) if state is not None else ():
                needed = self._olds.get(urn)
                if needed is not None and id(needed) not in held:
                    held.add(id(needed))
                    frontier.append(needed)
        return held

    def prepare_deletions(self, steps: list[Step]) -> list[Step]:
        """Note what goes, and have the providers ready that can delete it."""
        if self._refuses_unnamed(steps):
            return []
        self.deleting.update(step.urn for step in steps)
        for step in steps:
            self._use_old_provider(step.old_state)
        return steps

    def _use_old_provider(self, state: ResourceState) -> None:
        if state.custom and not is_provider_type(state.type) and state.provider:
            self._registry.prepare(state.provider)

    def plan_destroy(self) -> list[Step]:
        """Deletions of all, or of the targets and what cannot outlive them."""
        self._refuse_unknown_targets()
        wanted = self._wanted_targets() if self._targets.urns else None
        steps = [
            Step(deletion_of(_deletion(state, seen=False)) or Op.DELETE, state.urn, state)
            for state in reversed(self.all_olds)
            if wanted is None or state.urn in wanted
        ]
        return self.prepare_deletions(steps)

    def _wanted_targets(self) -> set[str]:
        """Entries that the user named, and what cannot outlive them."""
        closure: set[str] = set()
        for state in self.all_olds:
            if self._targets.names(state.urn) and state.urn not in closure:
                closure.add(state.urn)
                closure.update(each.urn for each in self._graph.depending_on(state, closure.__contains__))
        current = [state for urn, state in self._olds.items() if urn in closure]
        wanted = {state.urn for state in current}
        for state in current:
            wanted.update(each.urn for each in self.dependents_to_replace(state))
        return wanted

    def _refuses_unnamed(self, steps: list[Step]) -> bool:
        """With targets nothing goes that the user did not name, unless dependents are meant too."""
        if not self._targets.urns or self._targets.with_dependents:
            return False
        unnamed = [step.urn for step in steps if not self._targets.names(step.urn)]
        for urn in unnamed:
            self._listener.message(
                Severity.ERROR, urn,
                f"Resource '{urn}' would be destroyed, as it depends on a target, but was not specified in --target "
                "list. Either include resource in --target list or pass --target-dependents to proceed.",
            )  # fmt: skip
        if unnamed:
            self._failures.any = True
        # A preview shows them all the same.
        return bool(unnamed) and not self._preview

    def _refuse_unknown_targets(self) -> None:
        """A target that is neither in the state nor in the program is a mistake; the others are dealt with."""
        for target in sorted(self._targets.missing({*self._olds, *self._registered})):
            self._listener.message(Severity.ERROR, "", unknown_target(target))
            self._failures.any = True


def _deletion(state: ResourceState, *, seen: bool) -> Deletion:
    return Deletion(
        marked=state.delete, seen=seen, pending_replacement=state.pending_replacement, external=state.external
    )


def _without_ignored(goal: Goal, old: ResourceState, new: ResourceState) -> PropertyMap:
    try:
        return with_old_values(new.inputs, old.inputs, goal.ignore_changes)
    except PathError as error:
        raise PlanError(f"{new.urn}: {error}") from error


def _check_message(state: ResourceState, error: CheckFailedError) -> str:
    lines = [
        f"{state.type} resource '{name_of(state.urn)}' has a problem: {reason}"
        + (f". Examine values at '{name_of(state.urn)}.{name}'." if name else "")
        for name, reason in error.failures
    ]
    return "\n".join(lines)
