"""Messages of the resource monitor turned into goals, and states into answers."""

import os
import re
from pathlib import Path
from typing import Any

from hermetic.assets import AssetError, with_hashes
from hermetic.goals import Alias, Goal, Plan
from hermetic.protocol import alias_pb2, resource_pb2
from hermetic.values import UNKNOWN, from_struct, from_value, output_dependencies, plain_outputs, to_struct

# By the fields of requests, the keys of the state.
HOOK_KINDS = {
    "before_create": "BeforeCreate",
    "after_create": "AfterCreate",
    "before_update": "BeforeUpdate",
    "after_update": "AfterUpdate",
    "before_delete": "BeforeDelete",
    "after_delete": "AfterDelete",
}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|us|µs|ns|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class RequestError(Exception):
    """A request that makes no sense or asks for what this engine does not have."""


def goal_of(request: Any, project_folder: Path, program_folder: Path) -> Goal:
    """The goal of a RegisterResource request."""
    refuse_unsupported(request)
    raw = from_struct(request.object)
    try:
        inputs = {key: with_hashes(plain_outputs(value), program_folder) for key, value in raw.items()}
    except AssetError as error:
        raise RequestError(f"{request.name}: {error}") from error
    properties = {key: sorted(value.urns) for key, value in request.propertyDependencies.items()}
    for key, value in raw.items():
        found = output_dependencies(value)
        if found and key not in properties:
            properties[key] = sorted(found)
    dependencies = sorted({*request.dependencies, *(urn for urns in properties.values() for urn in urns)})
    if not properties and dependencies and request.custom:
        properties = dict.fromkeys(inputs, dependencies)
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=inputs,
        dependencies=dependencies,
        property_dependencies=properties if request.custom else {},
        protect=request.protect if request.HasField("protect") else None,
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        deleted_with=request.deletedWith,
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        ignore_changes=list(request.ignoreChanges),
        replace_on_changes=list(request.replaceOnChanges),
        replace_with=list(request.replace_with),
        replacement_trigger=from_value(request.replacement_trigger)
        if request.HasField("replacement_trigger")
        else None,
        additional_secret_outputs=list(request.additionalSecretOutputs),
        aliases=[*(Alias(urn=urn) for urn in request.aliasURNs), *(alias_of(each) for each in request.aliases)],
        import_id=request.importId,
        custom_timeouts=timeouts_of(request.customTimeouts) if request.HasField("customTimeouts") else {},
        hooks=hooks_of(request.hooks) if request.HasField("hooks") else {},
        hide_diff=list(request.hideDiffs),
        source_position=source_position(request, project_folder),
    )


def read_goal_of(request: resource_pb2.ReadResourceRequest, project_folder: Path) -> Goal:
    """The goal of a ReadResource request."""
    return Goal(
        type=request.type,
        name=request.name,
        custom=True,
        parent=request.parent,
        inputs=plain_outputs(from_struct(request.properties)),
        dependencies=sorted(request.dependencies),
        additional_secret_outputs=list(request.additionalSecretOutputs),
        source_position=source_position(request, project_folder),
    )


def refuse_unsupported(request: Any) -> None:
    """What this engine does not have is refused, never ignored."""
    unsupported = {
        "remote": "components of another language (remote)",
        "packageRef": "parameterized packages (packageRef)",
        "envVarMappings": "env_var_mappings",
        "state_migrations": "state_migrations",
        "pluginChecksums": "plugin checksums",
    }
    for name, words in unsupported.items():
        if getattr(request, name, None):
            raise RequestError(
                f"{request.name}: the hermetic engine does not support {words}; use the Pulumi CLI for it"
            )
    if request.HasField("hooks") and request.hooks.on_error:
        raise RequestError(
            f"{request.name}: the hermetic engine does not support error hooks; use the Pulumi CLI for it"
        )


def alias_of(alias: alias_pb2.Alias) -> Alias:
    if alias.WhichOneof("alias") == "urn":
        return Alias(urn=alias.urn)
    spec = alias.spec
    return Alias(
        name=spec.name,
        type=spec.type,
        stack=spec.stack,
        project=spec.project,
        parent=spec.parentUrn,
        no_parent=spec.noParent,
    )


def hooks_of(binding: Any) -> dict[str, list[str]]:
    """The names of hooks by kind, without kinds that have none."""
    return {key: list(getattr(binding, kind)) for kind, key in HOOK_KINDS.items() if getattr(binding, kind)}


def timeouts_of(timeouts: Any) -> dict[str, float]:
    """Seconds by operation."""
    found = {
        name: seconds(getattr(timeouts, name))
        for name in ("create", "update", "delete", "read")
        if getattr(timeouts, name)
    }
    return {name: int(value) if float(value).is_integer() else value for name, value in found.items()}


def seconds(text: str) -> float:
    """The length of a Go duration such as 1h30m."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise RequestError(f"unable to parse customTimeout value {text!r}: write a duration like 5m, 90s or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def source_position(request: Any, project_folder: Path) -> str:
    """Where in the program the resource is made, relative to the project."""
    position = request.sourcePosition
    if not position.uri.startswith("file://") or not position.line:
        return ""
    relative = os.path.relpath(position.uri.removeprefix("file://"), project_folder)
    column = f",{position.column}" if position.column else ""
    return f"project:///{relative}#{position.line}{column}"


def answer_of(plan: Plan, goal: Goal) -> resource_pb2.RegisterResourceResponse:
    """What the program learns of its resource."""
    state = plan.state
    if plan.failed:
        return resource_pb2.RegisterResourceResponse(urn=plan.urn, result=resource_pb2.FAIL)
    if state is None:
        return resource_pb2.RegisterResourceResponse(urn=plan.urn, object=to_struct(goal.inputs), unknown=True)
    stables = [key for step in plan.steps for key in step.diff.stable_keys]
    identity = "" if state.id == UNKNOWN else state.id
    return resource_pb2.RegisterResourceResponse(
        urn=plan.urn, id=identity, object=to_struct(state.outputs), stables=stables
    )
