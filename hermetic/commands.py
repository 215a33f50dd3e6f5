"""The commands that only look at or change stacks and their settings."""

import getpass
import json
import sys
from pathlib import Path
from typing import Any

from hermetic.arguments import Arguments, UsageError
from hermetic.backend import BackendError
from hermetic.console import say
from hermetic.project import ProjectError, StackConfig, select_stack
from hermetic.secrets import Crypter, SecretsError
from hermetic.shown import masked, shown
from hermetic.state import WRITER_VERSION, Deployment, StateError, export_from_json, export_to_json
from hermetic.urns import ROOT_TYPE, name_of
from hermetic.values import strip_secrets
from hermetic.workspace import Workspace


class CommandError(Exception):
    """A command that cannot be carried out, in words for the user."""


EXPECTED = (CommandError, UsageError, ProjectError, BackendError, SecretsError, StateError)


def stack_init(arguments: Arguments) -> int:
    """`stack init NAME`."""
    workspace = Workspace.open()
    stack = workspace.stack(arguments, named=_word(arguments))
    if not workspace.backend.exists(stack):
        # A passphrase that is missing or wrong is found out before anything is made.
        workspace.config(stack).crypter()
    workspace.backend.create(stack)
    if not arguments.has("--no-select"):
        select_stack(workspace.project, stack.name)
    say(f"Created stack '{stack.name}'")
    return 0


def stack_ls(arguments: Arguments) -> int:
    """`stack ls`."""
    workspace = Workspace.open()
    summaries = workspace.backend.stacks(None if arguments.has("--all") else workspace.project.name)
    try:
        current = workspace.stack(arguments).name
    except ProjectError:
        current = ""
    if arguments.has("--json"):
        say(json.dumps([_summary_document(each, current) for each in summaries], indent=2))
        return 0
    say(f"{'NAME':<30}{'LAST UPDATE':<28}RESOURCE COUNT")
    for each in summaries:
        name = each.stack.name + ("*" if each.stack.name == current else "")
        count = "n/a" if each.resource_count is None else str(each.resource_count)
        say(f"{name:<30}{each.last_update or 'n/a':<28}{count}")
    return 0


def _summary_document(summary: Any, current: str) -> dict[str, Any]:
    document: dict[str, Any] = {"name": summary.stack.name, "current": summary.stack.name == current}
    if summary.last_update is not None:
        document["lastUpdate"] = summary.last_update
    if summary.resource_count is not None:
        document["resourceCount"] = summary.resource_count
    return document


def stack_select(arguments: Arguments) -> int:
    """`stack select NAME`."""
    workspace = Workspace.open()
    name = _word(arguments) or arguments.text("--stack")
    if not name:
        raise UsageError("no stack name: use `stack select NAME`")
    stack = workspace.stack(arguments, named=name)
    if arguments.has("--create") and not workspace.backend.exists(stack):
        return stack_init(arguments)
    select_stack(workspace.project, workspace.backend.require(stack).name)
    return 0


def stack_show(arguments: Arguments) -> int:
    """`stack`: what is in it."""
    workspace = Workspace.open()
    stack = workspace.existing_stack(arguments)
    deployment = workspace.store(stack, workspace.config(stack).crypter()).load()
    say(f"Current stack is {stack.name}:")
    say(f"Current stack resources ({len(deployment.resources)}):")
    for state in deployment.resources:
        say(f"    {state.urn}" if arguments.has("--show-urns") else f"    {state.type}  {name_of(state.urn)}")
    say(f"Current stack outputs ({len(_outputs(deployment))}):")
    for key, value in sorted(_outputs(deployment).items()):
        say(f"    {key}  {shown(value)}")
    return 0


def stack_output(arguments: Arguments) -> int:
    """`stack output [NAME]`."""
    workspace = Workspace.open()
    stack = workspace.existing_stack(arguments)
    outputs = _outputs(workspace.store(stack, _crypter(workspace.config(stack))).load())
    name = _word(arguments)
    # A single output is asked for by name: it is given even when it is secret, as scripts need it.
    visible = strip_secrets if arguments.has("--show-secrets") or name else masked
    if name:
        if name not in outputs:
            raise CommandError(f"current stack does not have output property '{name}'")
        value = visible(outputs[name])
        say(
            json.dumps(value, indent=2, ensure_ascii=False)
            if arguments.has("--json") or not isinstance(value, str)
            else value
        )
    elif arguments.has("--json"):
        say(json.dumps({key: visible(value) for key, value in sorted(outputs.items())}, indent=2, ensure_ascii=False))
    else:
        say(f"Current stack outputs ({len(outputs)}):")
        for key, value in sorted(outputs.items()):
            seen = visible(value)
            say(f"    {key}  {seen if isinstance(seen, str) else json.dumps(seen, ensure_ascii=False)}")
    return 0


def _outputs(deployment: Deployment) -> dict[str, Any]:
    root = next((state for state in deployment.resources if state.type == ROOT_TYPE and not state.delete), None)
    return root.outputs if root else {}


def stack_export(arguments: Arguments) -> int:
    """`stack export [--file F]`."""
    workspace = Workspace.open()
    stack = workspace.existing_stack(arguments)
    crypter = _crypter(workspace.config(stack))
    deployment = workspace.store(stack, crypter).load()
    document = export_to_json(deployment, crypter, show_secrets=arguments.has("--show-secrets"))
    text = json.dumps(document, indent=4, ensure_ascii=False) + "\n"
    if not arguments.text("--file"):
        sys.stdout.write(text)
        return 0
    file = Path(arguments.text("--file"))
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return 0


def stack_import(arguments: Arguments) -> int:
    """`stack import [--file F]`."""
    workspace = Workspace.open()
    stack = workspace.existing_stack(arguments)
    file = arguments.text("--file")
    text = Path(file).read_text(encoding="utf-8") if file else sys.stdin.read()
    try:
        document = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{file or 'the standard input'} is not JSON: {error}") from error
    crypter = workspace.config(stack).crypter()
    with workspace.backend.lock(stack):
        deployment = export_from_json(document, crypter)
        _refuse_foreign(deployment, stack.name, workspace.project.name, force=arguments.has("--force"))
        workspace.store(stack, crypter).save(deployment)
    say("Import complete.")
    return 0


def _refuse_foreign(deployment: Deployment, stack: str, project: str, *, force: bool) -> None:
    prefix = f"urn:pulumi:{stack}::{project}::"
    foreign = [state.urn for state in deployment.resources if not state.urn.startswith(prefix)]
    if foreign and not force:
        raise CommandError(
            f"resource '{foreign[0]}' is from a different stack than {stack}; pass --force to import it anyway"
        )


def stack_rm(arguments: Arguments) -> int:
    """`stack rm [NAME]`."""
    workspace = Workspace.open()
    stack = workspace.existing_stack(arguments, named=_word(arguments))
    if not arguments.has("--yes"):
        _confirm(
            arguments,
            f"This will permanently remove the '{stack.name}' stack! Please confirm by typing its name: ",
            stack.name,
        )
    workspace.backend.remove(stack, force=arguments.has("--force"))
    if not arguments.has("--preserve-config"):
        workspace.config(stack).file.unlink(missing_ok=True)
    say(f"Stack '{stack.name}' has been removed!")
    return 0


def _confirm(arguments: Arguments, question: str, answer: str) -> None:
    if arguments.has("--non-interactive") or not sys.stdin.isatty():
        raise CommandError("--yes must be passed in to proceed when running in non-interactive mode")
    if input(question).strip() != answer:
        raise CommandError("confirmation declined")


def config_set(arguments: Arguments) -> int:
    """`config set KEY [VALUE]`; without a value it is read from the standard input."""
    workspace = Workspace.open()
    config = workspace.config(workspace.existing_stack(arguments))
    key = arguments.words[0]
    secret = arguments.has("--secret")
    value = arguments.words[1] if len(arguments.words) > 1 else _asked_value(key, secret=secret)
    crypter = config.crypter() if secret else None
    config.set(key, value, secret=secret, path=arguments.has("--path"), crypter=crypter)
    config.save()
    return 0


def _asked_value(key: str, *, secret: bool) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.read().rstrip("\n")
    return getpass.getpass(f"{key}: ") if secret else input(f"{key}: ")


def config_get(arguments: Arguments) -> int:
    """`config get KEY`."""
    workspace = Workspace.open()
    stack = workspace.existing_stack(arguments)
    config = workspace.config(stack)
    key = arguments.words[0]
    value = config.get(key, path=arguments.has("--path"), crypter=_crypter(config) if config.has_secrets() else None)
    if value is None:
        raise CommandError(f"configuration key '{key}' not found for stack '{stack.name}'")
    say(json.dumps({"value": value}, indent=2) if arguments.has("--json") else value)
    return 0


def config_list(arguments: Arguments) -> int:
    """`config`: all settings."""
    workspace = Workspace.open()
    config = workspace.config(workspace.existing_stack(arguments))
    show = arguments.has("--show-secrets")
    values, secret_keys = (
        config.runtime_values(_crypter(config)) if show else (config.masked_values(), _secret_keys(config))
    )
    if arguments.has("--json"):
        document = {
            key: {"secret": key in secret_keys}
            if key in secret_keys and not show
            else {"value": value, "secret": key in secret_keys}
            for key, value in values.items()
        }
        say(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    say(f"{'KEY':<32}VALUE")
    for key, value in values.items():
        say(f"{key.removeprefix(workspace.project.name + ':'):<32}{value}")
    return 0


def _secret_keys(config: StackConfig) -> set[str]:
    return {key for key, value in config.values().items() if '"secure"' in json.dumps(value)}


def _crypter(config: StackConfig) -> Crypter | None:
    """The crypter, where the stack has a key at all: a stack without secrets needs no passphrase to be looked at."""
    return config.crypter() if config.salt is not None else None


def cancel(arguments: Arguments) -> int:
    """`cancel`: remove the locks of operations that ended without doing so."""
    workspace = Workspace.open()
    stack = workspace.existing_stack(arguments, named=arguments.words[0] if arguments.words else "")
    holders = workspace.backend.cancel(stack)
    for holder in holders:
        say(f"removed the lock of {holder.user}@{holder.host} (pid {holder.pid}), taken at {holder.since}")
    say(
        f"The currently running update for '{stack.name}' has been canceled!"
        if holders
        else f"'{stack.name}' has no locks"
    )
    return 0


def version(arguments: Arguments) -> int:  # noqa: ARG001  all commands are called alike
    """`version`."""
    say(WRITER_VERSION)
    return 0


def _word(arguments: Arguments) -> str:
    return arguments.words[0] if arguments.words else ""
