"""Pulumi's ResourceMonitor service: what the program registers, reads and asks for comes in here."""

# ruff: noqa: ARG002, N802  names and parameters of methods are the protocol's

import json
import re
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import empty_pb2

from hermetic.backend import BackendError
from hermetic.engine_service import EngineService
from hermetic.events import Listener, Severity
from hermetic.executor import Executor, Failures, StepFailedError, StoppedError
from hermetic.goals import Goal, Plan, PlanError
from hermetic.hooks import CallbackError, Callbacks, Hook, Hooks
from hermetic.journal import Journal
from hermetic.planner import Planner
from hermetic.protocol import callback_pb2, resource_pb2, resource_pb2_grpc
from hermetic.provider_client import CheckFailedError, PluginError, ProviderError
from hermetic.registry import ProviderRegistry, with_version
from hermetic.requests import RequestError, answer_of, goal_of, read_goal_of
from hermetic.state import ResourceState
from hermetic.transforms import Transforms
from hermetic.urns import PROVIDER_PREFIX, ROOT_TYPE, is_provider_type, make_reference, package_of
from hermetic.values import UNKNOWN, PropertyMap, from_struct, secret, to_struct

SUPPORTED = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
)
# The names by which older SDKs ask for the same.
SUPPORTED_NAMES = frozenset(
    {
        "secrets",
        "resourceReferences",
        "outputValues",
        "aliasSpecs",
        "deletedWith",
        "replaceWith",
        "transforms",
        "resourceHooks",
    }
)
# An SDK takes this status as the end of the deployment, not as a fault of the program.
SHUT_DOWN = "resource monitor shut down while waiting on step's done channel"
DISABLE_DEFAULTS = "pulumi:disable-default-providers"

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is deployed, from where, and with which settings."""

    project: str
    stack: str
    organization: str
    folder: Path
    program_folder: Path
    config: Mapping[str, str]
    secret_keys: list[str]
    preview: bool
    parallel: int


class ResourceMonitor(resource_pb2_grpc.ResourceMonitorServicer):
    """One deployment's monitor. Each call has a thread of its own, and returns when its resource is done."""

    def __init__(
        self, *, deployed: Deployed, planner: Planner, executor: Executor, registry: ProviderRegistry, journal: Journal,
        hooks: Hooks, callbacks: Callbacks, listener: Listener, failures: Failures, engine: EngineService,
        known_versions: Mapping[str, str], wake: threading.Event,
    ) -> None:  # fmt: skip
        """`known_versions` are those of plugins in the old state, for resources without one; `wake` tells of news."""
        self._deployed = deployed
        self._planner = planner
        self._executor = executor
        self._registry = registry
        self._journal = journal
        self._hooks = hooks
        self._transforms = Transforms(callbacks)
        self._listener = listener
        self._failures = failures
        self._engine = engine
        self._known_versions = known_versions
        self._lock = threading.Lock()
        self._default_locks: dict[tuple[str, str, str], threading.Lock] = {}
        self._defaults: dict[tuple[str, str, str], str] = {}
        self._states: dict[str, ResourceState] = {}
        self._goals: dict[str, Goal] = {}
        self._former_outputs: PropertyMap = {}
        # The program has registered everything; and it may end.
        self.finished = threading.Event()
        self.may_end = threading.Event()
        self._wake = wake

    # -- what the monitor can do
    def GetDeploymentInfo(self, request: Any, context: grpc.ServicerContext) -> resource_pb2.DeploymentInfo:
        deployed = self._deployed
        return resource_pb2.DeploymentInfo(
            project=deployed.project, stack=deployed.stack, organization=deployed.organization,
            config=dict(deployed.config), configSecretKeys=deployed.secret_keys, dryRun=deployed.preview,
            parallel=deployed.parallel, supportedFeatures=SUPPORTED,
        )  # fmt: skip

    def SupportsFeature(self, request: Any, context: grpc.ServicerContext) -> resource_pb2.SupportsFeatureResponse:
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in SUPPORTED_NAMES)

    def SignalAndWaitForShutdown(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.finished.set()
        self._wake.set()
        self.may_end.wait()
        return empty_pb2.Empty()

    # -- resources
    def RegisterResource(self, request: Any, context: grpc.ServicerContext) -> resource_pb2.RegisterResourceResponse:
        return self._answer(context, request.parent, lambda: self._register(request))

    def ReadResource(self, request: Any, context: grpc.ServicerContext) -> resource_pb2.ReadResourceResponse:
        return self._answer(context, request.parent, lambda: self._read(request))

    def RegisterResourceOutputs(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return self._answer(context, request.urn, lambda: self._register_outputs(request))

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> resource_pb2.ResourceInvokeResponse:
        try:
            return self._invoke(request)
        except CheckFailedError as error:
            failures = [{"property": name, "reason": reason} for name, reason in error.failures]
            return resource_pb2.ResourceInvokeResponse(failures=failures)
        except (ProviderError, PluginError, PlanError, RequestError) as error:
            context.abort(grpc.StatusCode.UNKNOWN, f"invocation of {request.tok} returned an error: {error}")
        except (StoppedError, StepFailedError):
            self._shut_down(context)
        raise AssertionError("abort does not return")

    def RegisterStackTransform(self, request: callback_pb2.Callback, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._transforms.for_stack(request)
        return empty_pb2.Empty()

    def RegisterResourceHook(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        try:
            self._hooks.register(request.name, Hook(request.callback, request.on_dry_run, request.ignore_errors))
        except CallbackError as error:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, str(error))
        return empty_pb2.Empty()

    # -- what is not supported says so
    def Call(self, request: Any, context: grpc.ServicerContext) -> NoReturn:
        self._refuse(context, f"calling methods of resources ({request.tok})")

    def ExistsResource(self, request: Any, context: grpc.ServicerContext) -> NoReturn:
        self._refuse(context, f"asking whether a resource exists ({request.type})")

    def RegisterPackage(self, request: Any, context: grpc.ServicerContext) -> NoReturn:
        self._refuse(context, f"parameterized packages ({request.name})")

    def RegisterStackInvokeTransform(self, request: Any, context: grpc.ServicerContext) -> NoReturn:
        self._refuse(context, "transforms of invokes")

    def RegisterErrorHook(self, request: Any, context: grpc.ServicerContext) -> NoReturn:
        self._refuse(context, f"error hooks ({request.name})")

    def _refuse(self, context: grpc.ServicerContext, what: str) -> NoReturn:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED, f"the hermetic engine does not support {what}; use the Pulumi CLI for it"
        )
        raise AssertionError("abort does not return")

    # -- the work
    def _answer(self, context: grpc.ServicerContext, urn: str, work: Callable[[], Answer]) -> Answer:
        """Do the work; a refusal is told to the user and ends the deployment."""
        if self._failures.stopped.is_set():
            self._shut_down(context)
        try:
            answer = work()
        except (PlanError, PluginError, ProviderError, RequestError, CallbackError) as error:
            self._listener.message(Severity.ERROR, getattr(error, "urn", "") or urn, str(error))
            self._failures.stop()
        except (StepFailedError, StoppedError):
            pass
        except (OSError, BackendError) as error:
            self._listener.message(Severity.ERROR, urn, f"the state cannot be written: {error}")
            self._failures.stop()
        except Exception as error:  # whatever goes wrong in here ends in words for the user
            self._listener.message(Severity.DEBUG, urn, traceback.format_exc())
            words = f"internal error of the engine: {type(error).__name__}: {error} (--debug shows where)"
            self._listener.message(Severity.ERROR, urn, words)
            self._failures.stop()
        else:
            if not self._failures.stopped.is_set():
                return answer
        self._shut_down(context)
        raise AssertionError("abort does not return")

    def _shut_down(self, context: grpc.ServicerContext) -> None:
        self._engine.muted.set()
        self._wake.set()
        context.abort(grpc.StatusCode.UNAVAILABLE, SHUT_DOWN)

    def _register(self, request: Any) -> resource_pb2.RegisterResourceResponse:
        wanted = self._transforms.apply(request, self._parents_of(request.parent))
        goal = goal_of(wanted, self._deployed.folder, self._deployed.program_folder)
        self._inherit(goal)
        if goal.type == ROOT_TYPE:
            self._engine.root_is(self._stack_urn(goal))
        self._choose_provider(wanted, goal)
        with self._executor.places:
            plan = self._planner.plan(goal)
            self._transforms.keep(plan.urn, request.transforms)
            self._goals[plan.urn] = goal
            self._run(plan)
        return answer_of(plan, goal)

    def _stack_urn(self, goal: Goal) -> str:
        return f"urn:pulumi:{self._deployed.stack}::{self._deployed.project}::{goal.type}::{goal.name}"

    def _run(self, plan: Plan) -> None:
        for old_urn, new_urn in list(self._planner.renamed.items()):
            self._journal.rename(old_urn, new_urn)
        try:
            self._executor.run(plan.steps)
        except StepFailedError:
            if self._failures.stopped.is_set():
                raise
            plan.failed = True
        if plan.state is not None:
            self._states[plan.urn] = plan.state

    def _parents_of(self, urn: str) -> list[str]:
        parents: list[str] = []
        while urn and urn in self._goals:
            parents.append(urn)
            urn = self._goals[urn].parent
        return parents

    def _inherit(self, goal: Goal) -> None:
        """Options that a child takes from its parent where it has none of its own."""
        parent = self._goals.get(goal.parent)
        if parent is None:
            return
        goal.deleted_with = goal.deleted_with or parent.deleted_with
        goal.protect = parent.protect if goal.protect is None else goal.protect
        goal.retain_on_delete = parent.retain_on_delete if goal.retain_on_delete is None else goal.retain_on_delete

    def _choose_provider(self, request: Any, goal: Goal) -> None:
        if is_provider_type(goal.type):
            goal.inputs = with_version(goal.inputs, request.version, request.pluginDownloadURL)
        elif goal.custom:
            goal.provider = request.provider or self._default_provider(
                package_of(goal.type), request.version, request.pluginDownloadURL, goal.type
            )

    def _read(self, request: Any) -> resource_pb2.ReadResourceResponse:
        if request.packageRef:
            raise RequestError(
                f"{request.name}: the hermetic engine does not support parameterized packages; use the Pulumi CLI"
            )
        goal = read_goal_of(request, self._deployed.folder)
        goal.provider = request.provider or self._default_provider(
            package_of(goal.type), request.version, request.pluginDownloadURL, goal.type
        )
        with self._executor.places:
            plan = self._planner.plan_read(goal, request.id)
            self._run(plan)
        if plan.state is None or plan.failed:
            return resource_pb2.ReadResourceResponse(urn=plan.urn, result=resource_pb2.FAIL)
        identity = "" if plan.state.id == UNKNOWN else plan.state.id
        return resource_pb2.ReadResourceResponse(urn=plan.urn, id=identity, properties=to_struct(plan.state.outputs))

    def _register_outputs(self, request: Any) -> empty_pb2.Empty:
        state = self._states.get(request.urn)
        if state is None:
            if request.urn in self._failures.urns:
                return empty_pb2.Empty()
            raise RequestError(f"no resource '{request.urn}' was registered: outputs cannot be added to it")
        outputs = from_struct(request.outputs)
        if state.type == ROOT_TYPE:
            self._former_outputs = state.outputs
        state.outputs = outputs
        self._journal.touch()
        self._listener.outputs_known(state)
        return empty_pb2.Empty()

    def keep_former_outputs(self) -> None:
        """After a failure nobody knows which outputs of the stack were meant to go: former ones stay."""
        for state in list(self._states.values()):
            if state.type == ROOT_TYPE:
                state.outputs = self._former_outputs | state.outputs
                self._journal.touch()

    def _invoke(self, request: Any) -> resource_pb2.ResourceInvokeResponse:
        if request.packageRef:
            raise RequestError("the hermetic engine does not support parameterized packages; use the Pulumi CLI for it")
        reference = request.provider or self._default_provider(
            package_of(request.tok), request.version, request.pluginDownloadURL, request.tok
        )
        result = self._registry.client(reference).invoke(
            request.tok, from_struct(request.args), preview=self._deployed.preview
        )
        response = resource_pb2.ResourceInvokeResponse()
        getattr(response, "return").CopyFrom(to_struct(result or {}))  # a keyword of Python
        return response

    # -- default providers
    def _default_provider(self, package: str, version: str, url: str, token: str) -> str:
        """The reference of the provider for those that name none; made at its first use."""
        self._refuse_disabled(package, token)
        key = (package, version or self._known_versions.get(package, ""), url)
        with self._lock:
            lock = self._default_locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._defaults:
                self._defaults[key] = self._make_default_provider(*key)
            return self._defaults[key]

    def _make_default_provider(self, package: str, version: str, url: str) -> str:
        config = {
            name.removeprefix(f"{package}:"): secret(value) if name in self._deployed.secret_keys else value
            for name, value in self._deployed.config.items()
            if name.startswith(f"{package}:")
        }
        goal = Goal(
            type=PROVIDER_PREFIX + package, name=default_provider_name(version, url), custom=True,
            inputs=with_version(config, version, url),
        )  # fmt: skip
        with self._executor.places:
            plan = self._planner.plan(goal)
            self._run(plan)
        if plan.state is None or plan.failed:
            raise StepFailedError(f"the default provider of {package} failed")
        return make_reference(plan.urn, plan.state.id)

    def _refuse_disabled(self, package: str, token: str) -> None:
        text = self._deployed.config.get(DISABLE_DEFAULTS)
        if text is None:
            return
        try:
            disabled = json.loads(text)
        except ValueError:
            disabled = None
        if not isinstance(disabled, list):
            raise RequestError(
                f'config {DISABLE_DEFAULTS} is {text!r}: it must be a list of packages, such as ["aws"] or ["*"]'
            )
        if package in disabled or "*" in disabled:
            raise RequestError(f"Default provider for '{package}' disabled. '{token}' must use an explicit provider.")


def default_provider_name(version: str, url: str) -> str:
    """`default`, `default_1_2_3`, or with the parts of the plugin's address after it."""
    parts = [re.sub(r"[^A-Za-z0-9_.-]", "_", each) for each in url.split("/") if each]
    words = ["default"]
    if version:
        words.append(re.sub(r"[^A-Za-z0-9]", "_", version))
    if parts:
        words.append("/".join(parts))
    return "_".join(words)
