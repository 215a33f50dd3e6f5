"""The command line tool: the Pulumi CLI's words, carried out by this engine."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence

from hermetic.arguments import COMMANDS, Arguments, UsageError, parse
from hermetic.console import complain, say

FAILED = 255
_OPERATIONS = {("preview",), ("up",), ("refresh",), ("destroy",)}
USAGE = """The hermetic engine runs a Pulumi program without the Pulumi CLI.

Usage:  hermetic COMMAND [FLAGS]

Commands:
{commands}

Flags for all:  --stack/-s NAME  --cwd/-C FOLDER  --color always|never|auto  --non-interactive  --debug
State:          PULUMI_BACKEND_URL=file://FOLDER, secrets by PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line; the exit code."""
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        complain(f"error: {error}")
        return FAILED
    if arguments.has("--help") or not arguments.command:
        say(USAGE.format(commands="\n".join(f"  {' '.join(command)}" for command in COMMANDS)))
        return 0
    try:
        if arguments.text("--cwd"):
            os.chdir(arguments.text("--cwd"))
        return _handler(arguments)(arguments)
    except KeyboardInterrupt:
        complain("error: interrupted")
        return FAILED
    except Exception as error:
        if arguments.has("--debug"):
            traceback.print_exc()
        complain(f"error: {_told(error)}")
        return FAILED


def _handler(arguments: Arguments) -> Callable[[Arguments], int]:
    """The function for a command; only what it needs is imported."""
    from hermetic import commands  # noqa: PLC0415  only what a command needs is imported

    if arguments.command in _OPERATIONS:
        from hermetic import operations  # noqa: PLC0415  these need gRPC

        return {
            "preview": operations.run_preview,
            "up": operations.run_operation,
            "refresh": operations.run_operation,
            "destroy": operations.run_operation,
        }[arguments.command[0]]
    handlers: dict[tuple[str, ...], Callable[[Arguments], int]] = {
        ("cancel",): commands.cancel,
        ("stack",): commands.stack_show,
        ("stack", "init"): commands.stack_init,
        ("stack", "ls"): commands.stack_ls,
        ("stack", "select"): commands.stack_select,
        ("stack", "output"): commands.stack_output,
        ("stack", "export"): commands.stack_export,
        ("stack", "import"): commands.stack_import,
        ("stack", "rm"): commands.stack_rm,
        ("config",): commands.config_list,
        ("config", "set"): commands.config_set,
        ("config", "get"): commands.config_get,
        ("version",): commands.version,
    }
    return handlers[arguments.command]


def _told(error: Exception) -> str:
    """What a user is told: expected errors speak for themselves, others say what they are."""
    from hermetic.commands import EXPECTED  # noqa: PLC0415  imported by now

    if isinstance(error, EXPECTED):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"internal error of the engine: {type(error).__name__}: {error} (--debug shows where)"


if __name__ == "__main__":
    sys.exit(main())
