"""What jobs of all kinds have in common: their names, the class of a jar, and what becomes an output of the stack."""

from collections.abc import Sequence
from typing import Protocol

import pulumi

from components.plan.errors import PlanError

_LONGEST_NAME = 32


class EndedJob(Protocol):
    """A job's component, whatever runs it."""

    exit_code: pulumi.Output[int]
    result: pulumi.Output[Sequence[str]]
    log: pulumi.Output[Sequence[str]]


def outcome(job: EndedJob) -> dict[str, pulumi.Output[int] | pulumi.Output[Sequence[str]]]:
    """What a job came to, as an output of the stack."""
    return {"exit_code": job.exit_code, "result": job.result, "log": job.log}


def check_job_name(name: str, *, field: str) -> None:
    """PlanError for a name that services cannot begin with."""
    if not name.replace("-", "").isalnum() or not name.isascii() or len(name) > _LONGEST_NAME:
        raise PlanError(
            field=field,
            value=name,
            problem="no name of a job",
            fix=f"use up to {_LONGEST_NAME} letters, digits and - between them",
        )


def check_main_class(kind: str, main_class: str | None, *, field: str) -> None:
    """PlanError for a jar (`kind` is `.jar`) whose class is not named, and for a Python file with one."""
    if (kind == ".jar") != (main_class is not None):
        fix = "name the class to run of the jar" if kind == ".jar" else "leave it out: a Python file has no class"
        raise PlanError(field=field, value=main_class, problem=f"the application is a {kind[1:]} file", fix=fix)
