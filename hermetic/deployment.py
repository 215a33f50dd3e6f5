"""One operation on a stack from begin to end: preview, up, refresh or destroy."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import grpc

from hermetic.engine_service import EngineService
from hermetic.events import Listener, Severity, Step
from hermetic.executor import Executor, Failures, StepFailedError, StoppedError
from hermetic.goals import PlanError, Targets, unknown_target
from hermetic.graph import needs
from hermetic.hooks import Callbacks, Hooks
from hermetic.journal import Journal, Store
from hermetic.monitor import Deployed, ResourceMonitor
from hermetic.planner import Planner
from hermetic.plugins import PluginHost
from hermetic.program import Program, ProgramError, ProgramSettings
from hermetic.protocol import engine_pb2_grpc, resource_pb2_grpc
from hermetic.provider_client import CHANNEL_OPTIONS, PluginError, ProviderError
from hermetic.registry import ProviderRegistry
from hermetic.state import Deployment, ResourceState
from hermetic.steps import Op
from hermetic.urns import is_provider_type, provided_package, split_reference

# How long a program may take to end after the engine told it to.
PROGRAM_GRACE = 10.0


class Kind(StrEnum):
    """The operations."""

    UPDATE = "update"
    REFRESH = "refresh"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for."""

    kind: Kind
    preview: bool
    parallel: int
    refresh: bool = False
    targets: Targets = field(default_factory=Targets)
    continue_on_error: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Where it happens: the project, its plugins, and who listens; `refusals` has what must not be used, and why."""

    deployed: Deployed
    virtualenv: Path | None
    plugin_paths: dict[str, Path]
    listener: Listener
    refusals: Mapping[str, str] = field(default_factory=dict)


class Operation:
    """A running operation; `cancel` ends it early from another thread or a signal handler."""

    def __init__(self, world: World, options: Options, base: Deployment, store: Store | None) -> None:
        """Without a store (a preview) nothing is written."""
        self._world = world
        self._options = options
        self._base = base
        self._failures = Failures(continue_on_error=options.continue_on_error)
        self._journal = Journal(base, store)
        self._wake = threading.Event()
        self.cancelled = False
        self._host = PluginHost(
            project_folder=world.deployed.folder, program_folder=world.deployed.program_folder,
            paths=world.plugin_paths, virtualenv=world.virtualenv, report=self._report_plugin, refusals=world.refusals,
        )  # fmt: skip
        self._host.warning = lambda line: world.listener.message(Severity.WARNING, "", line)
        self._host.progress = lambda urn, line: world.listener.message(Severity.INFO, urn, line, ephemeral=True)
        self._engine = EngineService(world.listener)
        self._callbacks = Callbacks()
        self._hooks = Hooks(self._callbacks, world.listener, preview=options.preview)

    def run(self) -> bool:
        """Do it; whether all went well. The state is on disk in either case."""
        server, address = self._server()
        engine_pb2_grpc.add_EngineServicer_to_server(self._engine, server)
        server.start()
        self._host.engine_address = address
        try:
            self._work(address)
        except (PlanError, PluginError, ProgramError, ProviderError) as error:
            self._world.listener.message(Severity.ERROR, "", str(error))
            self._failures.stop()
        except (StepFailedError, StoppedError):
            self._failures.any = True
        finally:
            try:
                self._journal.commit()
            finally:
                self._host.stop()
                self._callbacks.close()
                server.stop(grace=None).wait()
        return not self._failures.any and not self._engine.errors

    def cancel(self) -> None:
        """Start no more steps, and ask the plugins to end what they are at."""
        self.cancelled = True
        self._failures.stop()
        self._wake.set()
        threading.Thread(target=self._host.cancel, daemon=True).start()

    @property
    def result(self) -> Deployment:
        """The state after the operation."""
        return self._journal.snapshot()

    def _server(self) -> tuple[grpc.Server, str]:
        """A server that is not started yet, and its address."""
        # The SDK sends up to four requests for each of `parallel`; each waits in a thread here.
        threads = max(self._options.parallel * 4, 8) + 32
        server = grpc.server(ThreadPoolExecutor(threads, "server"), options=CHANNEL_OPTIONS)
        return server, f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"

    def _work(self, address: str) -> None:
        registry = ProviderRegistry(self._host, self._base.resources, preview=self._options.preview)
        if self._options.kind is Kind.REFRESH or self._options.refresh:
            self._refresh(registry)
        planner = self._planner(registry)
        executor = self._executor(registry, planner.deleting)
        if self._options.kind is Kind.UPDATE:
            self._update(registry, planner, executor, address)
        elif self._options.kind is Kind.DESTROY:
            executor.run_deletions(planner.plan_destroy())

    def _planner(self, registry: ProviderRegistry) -> Planner:
        deployed = self._world.deployed
        return Planner(
            stack=deployed.stack, project=deployed.project, olds=self._base.resources, registry=registry,
            listener=self._world.listener, failures=self._failures, targets=self._options.targets,
            preview=self._options.preview,
        )  # fmt: skip

    def _executor(self, registry: ProviderRegistry, deleting: set[str]) -> Executor:
        return Executor(
            registry=registry, journal=self._journal, listener=self._world.listener, hooks=self._hooks,
            failures=self._failures, preview=self._options.preview, parallel=self._options.parallel, deleting=deleting,
        )  # fmt: skip

    # -- update
    def _update(self, registry: ProviderRegistry, planner: Planner, executor: Executor, engine_address: str) -> None:
        monitor = ResourceMonitor(
            deployed=self._world.deployed, planner=planner, executor=executor, registry=registry, journal=self._journal,
            hooks=self._hooks, callbacks=self._callbacks, listener=self._world.listener, failures=self._failures,
            engine=self._engine, known_versions=_known_versions(self._base.resources), wake=self._wake,
        )  # fmt: skip
        server, address = self._server()
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
        server.start()
        try:
            program = Program(self._program_settings(), address, engine_address, self._world.listener.program_line)
            watch = _Watch(program, self._wake)
            try:
                self._follow(monitor, watch, planner, executor)
            finally:
                monitor.may_end.set()
                watch.end()
        finally:
            server.stop(grace=None).wait()
        self._judge(watch.exit_code)
        if self._failures.any or self._engine.errors:
            monitor.keep_former_outputs()

    def _follow(self, monitor: ResourceMonitor, watch: "_Watch", planner: Planner, executor: Executor) -> None:
        """Wait until the program has registered everything, or ended, or something failed; then delete what is left."""
        while not (monitor.finished.is_set() or watch.ended or self._failures.stopped.is_set()):
            self._wake.wait()
            self._wake.clear()
        completed = monitor.finished.is_set() or (watch.ended and watch.exit_code == 0)
        if not completed:
            self._failures.stop()
        # A plugin must not be stopped in the middle of an operation.
        executor.wait_until_idle()
        if completed and not self._failures.stopped.is_set() and not self._engine.errors:
            executor.run_deletions(planner.plan_deletions())

    def _judge(self, exit_code: int) -> None:
        """A program that failed without a word gets one."""
        if exit_code == 0:
            return
        self._failures.stop()
        told = self._engine.errors or self._world.listener.failed or self.cancelled
        if not told:
            self._world.listener.message(Severity.ERROR, "", f"the program ended with exit code {exit_code}")

    def _program_settings(self) -> ProgramSettings:
        deployed = self._world.deployed
        return ProgramSettings(
            project=deployed.project, stack=deployed.stack, organization=deployed.organization, root=deployed.folder,
            folder=deployed.program_folder, virtualenv=self._world.virtualenv, config=deployed.config,
            secret_keys=deployed.secret_keys, preview=deployed.preview, parallel=deployed.parallel,
            refusals=self._world.refusals,
        )  # fmt: skip

    # -- refresh
    def _refresh(self, registry: ProviderRegistry) -> None:
        """Read all objects, and go on from what they are now."""
        unknown = self._options.targets.missing({state.urn for state in self._base.resources if not state.delete})
        if unknown:
            raise PlanError("\n".join(unknown_target(each) for each in sorted(unknown)))
        executor = self._executor(registry, set())
        steps = [
            Step(Op.REFRESH, state.urn, state, state)
            for state in _with_dependents(self._base.resources, self._options.targets)
        ]
        executor.run_refreshes(steps)
        found = {id(step.old): step.new for step in steps}
        resources = [found.get(id(state), state) for state in self._base.resources]
        self._journal.rebase(without_gone(resources))
        self._journal.commit()
        if self._failures.any:
            raise StoppedError

    def _report_plugin(self, plugin: str, line: str) -> None:
        self._world.listener.message(Severity.DEBUG, "", f"{plugin}: {line}")


class _Watch:
    """Waits for the program's end in a thread of its own, and brings it about when it does not come."""

    def __init__(self, program: Program, wake: threading.Event) -> None:
        self._program = program
        self._wake = wake
        self.ended = False
        self.exit_code = 0
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        self.exit_code = self._program.wait()
        self.ended = True
        self._wake.set()

    def end(self) -> None:
        """Give the program some time to end by itself, then end it."""
        self._thread.join(PROGRAM_GRACE)
        self._program.stop()
        self._thread.join()


def _known_versions(states: list[ResourceState]) -> dict[str, str]:
    """The newest version of each plugin that the state was made with."""
    found: dict[str, str] = {}
    for state in states:
        version = state.inputs.get("version")
        if is_provider_type(state.type) and isinstance(version, str):
            package = provided_package(state.type)
            found[package] = max(found.get(package, version), version, key=_version_key)
    return found


def _version_key(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in version.replace("-", ".").split(".")]


def _with_dependents(states: list[ResourceState], targets: Targets) -> list[ResourceState]:
    """The entries that are meant, and if the user wants so, all that depends on them; entries are in that order."""
    meant: list[ResourceState] = []
    named: set[str] = set()
    for state in states:
        needed = {*needs(state)} - {split_reference(state.provider)[0]}
        dependent = targets.with_dependents and not named.isdisjoint(needed)
        if dependent or targets.includes(state.urn):
            meant.append(state)
        if dependent or targets.names(state.urn):
            named.add(state.urn)
    return meant


def without_gone(states: list[ResourceState | None]) -> list[ResourceState]:
    """The entries that are left, without references to those that are gone."""
    left = [state for state in states if state is not None]
    urns = {state.urn for state in left}
    return [_pruned(state, urns) for state in left]


def _pruned(state: ResourceState, urns: set[str]) -> ResourceState:
    properties = {
        key: kept for key, each in state.property_dependencies.items() if (kept := [urn for urn in each if urn in urns])
    }
    return replace(
        state,
        parent=state.parent if state.parent in urns else "",
        dependencies=[urn for urn in state.dependencies if urn in urns],
        property_dependencies=properties,
        deleted_with=state.deleted_with if state.deleted_with in urns else "",
        replace_with=[urn for urn in state.replace_with if urn in urns],
    )
