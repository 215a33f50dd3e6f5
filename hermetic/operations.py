"""preview, up, refresh and destroy: from the command line to a running deployment and its exit code."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from types import FrameType

from hermetic.arguments import Arguments, UsageError
from hermetic.backend import ORGANIZATION, CheckpointStore, StackName, Update
from hermetic.commands import CommandError
from hermetic.console import complain, say
from hermetic.deployment import Kind, Operation, Options, World
from hermetic.display import Display, ProgressDisplay, View
from hermetic.goals import Targets
from hermetic.monitor import Deployed
from hermetic.plan_display import DiffDisplay, JsonDisplay
from hermetic.plugins import PREVIEW_ONLY
from hermetic.project import StackConfig
from hermetic.secrets import Crypter
from hermetic.urns import ROOT_TYPE, is_provider_type, make_urn, provided_package
from hermetic.workspace import Workspace

LEAST_PARALLEL = 16
PARALLEL_PER_CPU = 4
INTERRUPTED = 130

_KINDS = {"preview": Kind.UPDATE, "up": Kind.UPDATE, "refresh": Kind.REFRESH, "destroy": Kind.DESTROY}
_TITLES = {
    ("up", False): "Updating", ("up", True): "Previewing update", ("preview", True): "Previewing update",
    ("refresh", False): "Refreshing", ("refresh", True): "Previewing refresh",
    ("destroy", False): "Destroying", ("destroy", True): "Previewing destroy",
}  # fmt: skip
# What a command does to a stack, and how it is called where the Pulumi CLI is.
_BEYOND_PREVIEW = {
    "preview": ("refresh", "make preview STACK={stack} ARGS=--refresh"),
    "up": ("change", "make up STACK={stack}"),
    "refresh": ("refresh", "make refresh STACK={stack}"),
    "destroy": ("destroy", "make down STACK={stack}"),
}


@dataclass(frozen=True, slots=True)
class _Job:
    """An operation's circumstances, read once."""

    workspace: Workspace
    stack: StackName
    config: StackConfig
    crypter: Crypter
    store: CheckpointStore
    arguments: Arguments

    @property
    def word(self) -> str:
        return self.arguments.command[0]


def _job(arguments: Arguments) -> _Job:
    workspace = Workspace.open()
    stack = workspace.existing_stack(arguments)
    config = workspace.config(stack)
    crypter = config.crypter()
    return _Job(workspace, stack, config, crypter, workspace.store(stack, crypter), arguments)


def run_preview(arguments: Arguments) -> int:
    """`preview`: nothing is changed."""
    if arguments.has("--json") and arguments.has("--diff"):
        raise UsageError("--json and --diff exclude each other")
    job = _job(arguments)
    if arguments.has("--refresh"):
        _refuse_early(job)
    display = _preview_display(job)
    ok = _run(job, display, preview=True)[0]
    _finish(job, display, preview=True)
    return _exit_code(job, display, ok=ok)


def run_operation(arguments: Arguments) -> int:
    """`up`, `refresh`, `destroy`."""
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not arguments.has("--non-interactive")
    if not arguments.has("--yes") and not interactive:
        raise CommandError("--yes must be passed in to proceed when running in non-interactive mode")
    job = _job(arguments)
    with job.workspace.backend.lock(job.stack):
        _refuse_early(job)
        if not arguments.has("--skip-preview") and not _previewed(job):
            return 255
        started = int(time.time())
        display = _display(job, preview=False)
        ok, operation = _run(job, display, preview=False)
        _record(job, display, started, ok=ok)
        _finish(job, display, preview=False)
        if operation.cancelled:
            complain("error: the operation was cancelled; the state is saved, the next one goes on from it")
    if ok and job.word == "destroy" and arguments.has("--remove"):
        job.workspace.backend.remove(job.stack)
        job.config.file.unlink(missing_ok=True)
    return _exit_code(job, display, ok=ok)


def _previewed(job: _Job) -> bool:
    """Show what would be done, and ask where there is someone to ask; whether to go on."""
    display = _display(job, preview=True)
    ok = _run(job, display, preview=True)[0]
    _finish(job, display, preview=True)
    if not ok or job.arguments.has("--yes"):
        return ok
    what = {"up": "perform this update", "refresh": "perform this refresh", "destroy": "perform this destroy"}[job.word]
    if input(f"Do you want to {what}? [yes/no] ").strip().lower() not in {"yes", "y"}:
        say(f"confirmation declined, not proceeding with the {job.word}")
        return False
    return True


# -- what only previews
def refusal(command: str, stack: str, package: str) -> str:
    """Why a command cannot be carried out with a package that this engine can only preview, and what can."""
    does, make = _BEYOND_PREVIEW[command]
    return (
        f"this engine can preview stack {stack} but not {does} it: it has no plugin for {package}; "
        f"install the Pulumi CLI (https://www.pulumi.com/docs/install/) and run `{make.format(stack=stack)}`"
    )


def _refusals(job: _Job) -> dict[str, str]:
    """The refusals by package; a plugin that the project names can do everything."""
    named = {plugin.name for plugin in job.workspace.project.plugins}
    return {package: refusal(job.word, job.stack.name, package) for package in sorted(PREVIEW_ONLY - named)}


def _refuse_early(job: _Job) -> None:
    """Before anything else is done, where the state already tells what would be needed."""
    refusals = _refusals(job)
    for state in job.store.load().resources:
        if is_provider_type(state.type) and provided_package(state.type) in refusals:
            raise CommandError(refusals[provided_package(state.type)])


# -- running
def _run(job: _Job, display: Display, *, preview: bool) -> tuple[bool, Operation]:
    store = None if preview else job.store
    operation = Operation(
        _world(job, display, preview=preview), _options(job, preview=preview), job.store.load(), store
    )
    with _Interruptible(operation):
        ok = operation.run()
    return ok, operation


def _options(job: _Job, *, preview: bool) -> Options:
    arguments = job.arguments
    default = max(LEAST_PARALLEL, PARALLEL_PER_CPU * (os.cpu_count() or 1))
    return Options(
        kind=_KINDS[job.word],
        preview=preview,
        parallel=arguments.number("--parallel", default),
        refresh=arguments.has("--refresh"),
        targets=Targets(frozenset(arguments.texts("--target")), with_dependents=arguments.has("--target-dependents")),
        continue_on_error=arguments.has("--continue-on-error"),
    )


def _world(job: _Job, display: Display, *, preview: bool) -> World:
    project = job.workspace.project
    values, secret_keys = job.config.runtime_values(job.crypter)
    deployed = Deployed(
        project=project.name,
        stack=job.stack.name,
        organization=ORGANIZATION,
        folder=project.folder,
        program_folder=(project.folder / project.main).resolve(),
        config=values,
        secret_keys=secret_keys,
        preview=preview,
        parallel=_options(job, preview=preview).parallel,
    )
    return World(
        deployed=deployed, virtualenv=project.virtualenv,
        plugin_paths={each.name: each.path for each in project.plugins}, listener=display,
        refusals={} if job.word == "preview" else _refusals(job),
    )  # fmt: skip


class _Interruptible:
    """Ctrl-C: the first asks for an end in order, the second ends at once."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._count = 0

    def __enter__(self) -> None:
        self._previous = {each: signal.signal(each, self._interrupt) for each in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for each, handler in self._previous.items():
            signal.signal(each, handler)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            os.write(2, b"error: terminated at once; run `cancel`, then the same command again\n")
            os._exit(INTERRUPTED)
        os.write(2, b"\nwaiting for running steps to end, no new ones are started; once more to end at once\n")
        self._operation.cancel()


# -- displays
def _preview_display(job: _Job) -> Display:
    if job.arguments.has("--json"):
        return JsonDisplay(_view(job, preview=True), job.config.masked_values())
    return _display(job, preview=True)


def _display(job: _Job, *, preview: bool) -> Display:
    view = _view(job, preview=preview)
    return DiffDisplay(view) if job.arguments.has("--diff") else ProgressDisplay(view, colour=_colour(job.arguments))


def _view(job: _Job, *, preview: bool) -> View:
    project, stack = job.workspace.project.name, job.stack.name
    root = make_urn(stack=stack, project=project, parent="", type_token=ROOT_TYPE, name=f"{project}-{stack}")
    refreshing, debug = job.word == "refresh", job.arguments.has("--debug")
    return View(_TITLES[job.word, preview], stack, root, preview, refreshing, debug)


def _colour(arguments: Arguments) -> bool:
    choice = arguments.text("--color", "auto")
    if choice not in {"always", "never", "auto", "raw"}:
        raise UsageError(f"--color is {choice!r}: one of always, never, auto")
    return choice == "always" or (choice == "auto" and sys.stdout.isatty() and not os.environ.get("NO_COLOR"))


def _finish(job: _Job, display: Display, *, preview: bool) -> None:
    if isinstance(display, JsonDisplay):
        say(display.document())
    elif isinstance(display, DiffDisplay):
        display.finish()
    elif isinstance(display, ProgressDisplay):
        with_outputs = _KINDS[job.word] is Kind.UPDATE and not job.arguments.has("--suppress-outputs")
        display.finish(show_outputs=with_outputs, show_secrets=job.arguments.has("--show-secrets"))
    if not preview:
        sys.stdout.flush()


def _exit_code(job: _Job, display: Display, *, ok: bool) -> int:
    if not ok:
        return 255
    if job.arguments.has("--expect-no-changes") and display.tally.changed:
        complain("error: no changes were expected but changes were proposed")
        return 255
    return 0


def _record(job: _Job, display: Display, started: int, *, ok: bool) -> None:
    """The entry in the stack's history."""
    update = Update(
        kind=_KINDS[job.word].value,
        start_time=started,
        end_time=int(time.time()),
        result="succeeded" if ok else "failed",
        config=job.config.values(),
        resource_changes=dict(display.tally.changes),
        message=job.arguments.text("--message"),
        environment={"exec.kind": "cli"},
    )
    job.workspace.backend.record(job.stack, update)
