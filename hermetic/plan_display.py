"""Displays of a preview as a document: JSON for programs, and a diff of every property for reviewers."""

import json
import time
from collections.abc import Mapping
from typing import Any

from hermetic.console import say
from hermetic.display import Display, View, diagnostics, summary_lines
from hermetic.events import Severity, Step
from hermetic.shown import masked, shown
from hermetic.state import ResourceState
from hermetic.steps import Op, compare
from hermetic.urns import ROOT_TYPE, is_default_provider, type_of
from hermetic.values import is_secret


def worth_showing(step: Step) -> bool:
    """Steps of a plan that say something: changes, the stack itself, and what is only protected otherwise."""
    if is_default_provider(step.urn) or not step.logical:
        return False
    if step.op is Op.SAME:
        protection = step.old is not None and step.new is not None and step.old.protect != step.new.protect
        return type_of(step.urn) == ROOT_TYPE or protection
    return True


class JsonDisplay(Display):
    """Gathers the steps of a preview for `preview --json`."""

    def __init__(self, view: View, config: Mapping[str, str]) -> None:
        """`config` has its secrets masked."""
        super().__init__(view)
        self._config = dict(config)
        self._steps: list[dict[str, Any]] = []

    def on_begin(self, step: Step) -> None:
        if worth_showing(step):
            self._steps.append(_step_document(step))

    def document(self) -> str:
        """The whole plan as JSON."""
        document: dict[str, Any] = {"config": self._config} if self._config else {}
        document["steps"] = self._steps
        said = [each for each in self.messages if each.severity is not Severity.DEBUG]
        if said:
            document["diagnostics"] = [
                {"urn": each.urn, "message": each.text, "severity": str(each.severity)} for each in said
            ]
        document["duration"] = int((time.monotonic() - self.started) * 1e9)
        document["changeSummary"] = dict(sorted(self.tally.changes.items()))
        return json.dumps(document, indent=4, ensure_ascii=False)


def _step_document(step: Step) -> dict[str, Any]:
    document: dict[str, Any] = {"op": step.op.value, "urn": step.urn}
    if step.state.provider:
        document["provider"] = step.state.provider
    if step.old is not None:
        document["oldState"] = _state_document(step.old)
    if step.new is not None:
        document["newState"] = _state_document(step.new)
    if step.diff.changed_keys:
        document["diffReasons"] = list(step.diff.changed_keys)
    if step.diff.replace_keys:
        document["replaceReasons"] = list(step.diff.replace_keys)
    document["detailedDiff"] = {
        path: {"kind": diff.kind, "inputDiff": diff.input_diff} for path, diff in sorted(step.diff.detailed.items())
    } or None
    return document


_STATE_KEYS = {
    "id": "id", "type": "type", "inputs": "inputs", "outputs": "outputs", "parent": "parent", "protect": "protect",
    "external": "external", "dependencies": "dependencies", "init_errors": "initErrors", "provider": "provider",
    "property_dependencies": "propertyDependencies", "additional_secret_outputs": "additionalSecretOutputs",
    "import_id": "importID", "retain_on_delete": "retainOnDelete", "deleted_with": "deletedWith", "created": "created",
    "modified": "modified", "source_position": "sourcePosition",
}  # fmt: skip


def _state_document(state: ResourceState) -> dict[str, Any]:
    document: dict[str, Any] = {"urn": state.urn, "custom": state.custom}
    for field, key in _STATE_KEYS.items():
        value = getattr(state, field)
        if value:
            document[key] = masked(value)
    return document


class DiffDisplay(Display):
    """Prints every change of every property, for `preview --diff`."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._parents: dict[str, str] = {}
        say(f"{view.title} ({view.stack}):")

    def on_begin(self, step: Step) -> None:
        self._parents[step.urn] = step.state.parent
        if worth_showing(step):
            say("\n".join(self._lines(step)))

    def _depth(self, urn: str) -> int:
        parent = self._parents.get(urn, "")
        return 1 + self._depth(parent) if parent else 0

    def _lines(self, step: Step) -> list[str]:
        signs = {
            Op.CREATE: "+ ",
            Op.UPDATE: "~ ",
            Op.DELETE: "- ",
            Op.DISCARD: "< ",
            Op.REPLACE: "+-",
            Op.READ: "> ",
            Op.REFRESH: "~ ",
            Op.IMPORT: "= ",
        }
        pad = "    " * self._depth(step.urn)
        sign = signs.get(step.op, "  ")
        state = step.state
        # A sign takes the place of the last two columns before the type.
        head = f"{pad}{sign}{state.type}: ({step.op})" if pad else f"{sign}{state.type}: ({step.op})"
        inner = pad + "    "
        lines = [head]
        if step.old is not None and state.custom and step.old.id:
            lines.append(f"{inner}[id={step.old.id}]")
        lines.append(f"{inner}[urn={step.urn}]")
        if state.provider and step.op is not Op.CREATE:
            lines.append(f"{inner}[provider={state.provider}]")
        return lines + [f"{inner[:-2]}{line}" for line in property_lines(step)]

    def finish(self) -> None:
        """Messages and counts."""
        for line in diagnostics(self.messages):
            say(line)
        say("Resources:")
        for line in summary_lines(self.tally.changes, preview=self.view.preview):
            say(f"    {line}")


def property_lines(step: Step) -> list[str]:
    """The changed properties of a step; secrets by name only."""
    if step.op in {Op.CREATE, Op.IMPORT} and step.new is not None:
        return [f"+ {key}: {shown(value)}" for key, value in sorted(step.new.inputs.items())]
    if step.op is Op.DELETE or step.old is None or step.new is None:
        return []
    old, new = step.old.inputs, step.new.inputs
    lines: list[str] = []
    for key in sorted({*old, *new}):
        if key not in new:
            lines.append(f"- {key}: {shown(old[key])}")
        elif key not in old:
            lines.append(f"+ {key}: {shown(new[key])}")
        elif compare({key: old[key]}, {key: new[key]}):
            hidden = is_secret(old[key]) or is_secret(new[key])
            before, after = ("[secret]", "[secret]") if hidden else (shown(old[key]), shown(new[key]))
            lines.append(f"~ {key}: {before} => {after}")
    return lines
