"""Runs inside the program's own interpreter: the Pulumi program between a connected SDK and its exit code.

It is started by the engine as text, so that neither the engine's modules nor its folder are in the program's way.
"""

# ruff: noqa: PLC0415  the SDK is imported late: its absence is told like any other error of the program

import asyncio
import ctypes
import json
import logging
import os
import runpy
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

ALREADY_REPORTED = 32
PR_SET_PDEATHSIG = 1


def main(settings: dict[str, object]) -> int:
    """Run the program; 0, or `ALREADY_REPORTED` after its error was told to the engine."""
    _die_with_the_engine()
    import pulumi
    import pulumi.runtime

    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=str(settings["monitor"]), engine=str(settings["engine"]), project=str(settings["project"]),
            stack=str(settings["stack"]), parallel=int(str(settings["parallel"])), dry_run=bool(settings["preview"]),
            organization=str(settings["organization"]), root_directory=str(settings["root"]),
        )
    )  # fmt: skip
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    program = str(settings["program"])
    refusals = cast("dict[str, str]", settings["refusals"])
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(max_workers=int(str(settings["threads"]))))
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: _run(program, refusals)))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return ALREADY_REPORTED
    except Exception as error:
        pulumi.log.error("Program failed with an unhandled exception:\n" + _user_traceback(error, program))
        return ALREADY_REPORTED
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _run(program: str, refusals: dict[str, str]) -> None:
    import pulumi.runtime

    if refusals:
        pulumi.runtime.register_stack_transformation(lambda registered: _refuse(registered, refusals))
    runpy.run_path(program, run_name="__main__")


def _refuse(registered: Any, refusals: dict[str, str]) -> None:
    """End the program at its first resource of a refused package.

    The SDK sends nothing before the program has run: of resources before this one nothing is made.
    """
    import pulumi

    package = registered.type_.removeprefix("pulumi:providers:").partition(":")[0]
    if package in refusals and isinstance(registered.resource, pulumi.CustomResource):
        pulumi.log.error(refusals[package])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ALREADY_REPORTED)


def _user_traceback(error: BaseException, program: str) -> str:
    """The traceback from the program on: how it was started is of no use to its author."""
    folder = Path(program).parent
    trace = error.__traceback__
    while trace is not None and folder not in Path(trace.tb_frame.f_code.co_filename).parents:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace or error.__traceback__)).rstrip("\n")


def _die_with_the_engine() -> None:
    """A killed engine must not leave a program behind that waits for it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    sys.argv = [str(arguments["program"])]
    code = main(arguments)
    # Threads of the SDK must not keep the process.
    os._exit(code)
