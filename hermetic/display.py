"""What the user sees of an operation: lines as things happen, messages gathered at the end, counts."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from hermetic.events import Severity, Step
from hermetic.shown import shown
from hermetic.state import ResourceState
from hermetic.steps import Op
from hermetic.urns import ROOT_TYPE, is_default_provider, name_of, type_of

# Sign, what is going on, what was done, and what a preview says; as the Pulumi CLI words it.
_WORDS = {
    Op.SAME: (" ", "", "", ""),
    Op.CREATE: ("+", "creating", "created", "create"),
    Op.UPDATE: ("~", "updating", "updated", "update"),
    Op.DELETE: ("-", "deleting", "deleted", "delete"),
    Op.REPLACE: ("+-", "replacing", "replaced", "replace"),
    Op.CREATE_REPLACEMENT: ("++", "creating replacement", "created replacement", "create replacement"),
    Op.DELETE_REPLACED: ("--", "deleting original", "deleted original", "delete original"),
    Op.DISCARD: ("<", "discarding", "discarded", "discard"),
    Op.DISCARD_REPLACED: ("<<", "discarding original", "discarded original", "discard original"),
    Op.READ: (">", "reading", "read", "read"),
    Op.READ_REPLACEMENT: (">+", "reading for replacement", "read for replacement", "read for replacement"),
    Op.REFRESH: ("~", "refreshing", "refreshed", "refresh"),
    Op.IMPORT: ("=", "importing", "imported", "import"),
    Op.IMPORT_REPLACEMENT: ("=>", "importing replacement", "imported replacement", "import replacement"),
    Op.REMOVE_PENDING_REPLACE: (
        "~",
        "completing pending replace",
        "completed pending replace",
        "complete pending replace",
    ),
}
_COLOURS = {"+": "32", "~": "33", "-": "31", "+-": "35", "++": "32", "--": "31", "=": "36", ">": "36"}
_SUMMARY = {
    "create": ("+ ", "created", "create"),
    "update": ("~ ", "updated", "update"),
    "delete": ("- ", "deleted", "delete"),
    "replace": ("+-", "replaced", "replace"),
    "import": ("= ", "imported", "import"),
    "read": ("> ", "read", "read"),
    "discard": ("< ", "discarded", "discard"),
}


@dataclass(slots=True)
class Message:
    """Something said about a resource."""

    severity: Severity
    urn: str
    text: str


@dataclass(slots=True)
class Tally:
    """What happened, in numbers."""

    refreshing: bool = False
    changes: Counter[str] = field(default_factory=Counter)

    def count(self, step: Step) -> None:
        """Count a step that ended well."""
        if is_default_provider(step.urn) or not step.logical:
            return
        if step.op is Op.REFRESH:
            if self.refreshing:
                self.changes[refresh_result(step)] += 1
            return
        if step.op is Op.READ and not (step.old and step.new and step.old.outputs != step.new.outputs):
            return
        self.changes[step.op.value] += 1

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was."""
        return any(count for op, count in self.changes.items() if op not in {"same", "read"})


def refresh_result(step: Step) -> str:
    """What a refresh found: the same, a change, or nothing any more."""
    if step.new is None:
        return "delete"
    old, new = step.old_state, step.new
    if new is old or _told(old) == _told(new):
        return "same"
    return "update"


def _told(state: ResourceState) -> tuple[Any, ...]:
    """What of a resource is for the user to see: without the notes that bridged plugins keep beside it."""
    return _without_notes(state.inputs), _without_notes(state.outputs), state.init_errors


def _without_notes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_notes(item) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [_without_notes(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class View:
    """What a display is about; `root` is the URN of the stack: what is said of nothing else is said of it."""

    title: str
    stack: str
    root: str
    preview: bool
    refreshing: bool = False
    debug: bool = False


class Display:
    """Gathers what every display needs; displays add what they print."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.tally = Tally(view.refreshing)
        self.messages: list[Message] = []
        # None until the program has said what they are.
        self.outputs: dict[str, Any] | None = None
        self.old_outputs: dict[str, Any] = {}
        self.lock = threading.RLock()
        self.started = time.monotonic()

    # -- what a deployment tells
    def step_begins(self, step: Step) -> None:
        with self.lock:
            if type_of(step.urn) == ROOT_TYPE and step.old is not None:
                self.old_outputs = dict(step.old.outputs)
            self.on_begin(step)

    def step_ends(self, step: Step) -> None:
        with self.lock:
            self.tally.count(step)
            self.on_end(step)

    def step_fails(self, step: Step, message: str) -> None:
        with self.lock:
            self.messages.append(Message(Severity.ERROR, step.urn, message))
            self.on_failure(step, message)

    def outputs_known(self, state: ResourceState) -> None:
        with self.lock:
            if state.type == ROOT_TYPE:
                self.outputs = dict(state.outputs)
            self.on_outputs(state)

    def message(self, severity: Severity, urn: str, text: str, *, ephemeral: bool = False) -> None:
        with self.lock:
            if severity is Severity.DEBUG and not self.view.debug:
                return
            urn = urn or self.view.root
            if not ephemeral:
                self.messages.append(Message(severity, urn, text))
            self.on_message(severity, urn, text, ephemeral=ephemeral)

    def program_line(self, line: str) -> None:
        self.message(Severity.INFO, self.view.root, line)

    # -- what displays may add
    def on_begin(self, step: Step) -> None:
        """A step begins."""

    def on_end(self, step: Step) -> None:
        """A step ended well."""

    def on_failure(self, step: Step, message: str) -> None:
        """A step failed."""

    def on_outputs(self, state: ResourceState) -> None:
        """A component has its outputs."""

    def on_message(self, severity: Severity, urn: str, text: str, *, ephemeral: bool) -> None:
        """Something was said."""

    @property
    def failed(self) -> bool:
        return any(each.severity is Severity.ERROR for each in self.messages)


class ProgressDisplay(Display):
    """A line for each thing that begins or ends, then diagnostics, outputs, counts and the duration."""

    def __init__(self, view: View, *, colour: bool, out: TextIO | None = None) -> None:
        super().__init__(view)
        self._preview = view.preview
        self._colour = colour
        self._out = out or sys.stdout
        self._begun: dict[str, tuple[Step, float]] = {}
        self._print(f"{view.title} ({view.stack}):\n")

    def on_begin(self, step: Step) -> None:
        self._begun[step.urn] = (step, time.monotonic())
        if step.op is not Op.SAME and not is_default_provider(step.urn) and not self._preview:
            self._line(step, _WORDS[step.op][1], "0s")

    def on_end(self, step: Step) -> None:
        if not step.state.custom and step.op in {Op.CREATE, Op.UPDATE} and not self._preview:
            return  # a component is done when its outputs are known
        self._end_line(step)

    def _end_line(self, step: Step) -> None:
        if step.op is Op.SAME or is_default_provider(step.urn):
            return
        if step.op is Op.REFRESH and refresh_result(step) == "same":
            return
        words = _WORDS[step.op]
        self._line(step, words[3] if self._preview else words[2], self._elapsed(step.urn))

    def on_outputs(self, state: ResourceState) -> None:
        step, _ = self._begun.get(state.urn, (None, 0.0))
        if step is not None and step.op in {Op.CREATE, Op.UPDATE} and not self._preview:
            self._end_line(step)

    def on_failure(self, step: Step, message: str) -> None:
        sign, doing, _, planned = _WORDS[step.op]
        first = message.splitlines()[0] if message else ""
        what = self._red(f"**{planned if self._preview else doing} failed**")
        self._print(f" {self._sign(sign)} {_label(step.urn)} {what} error: {first}")

    def on_message(self, severity: Severity, urn: str, text: str, *, ephemeral: bool) -> None:  # noqa: ARG002  both kinds are shown
        if severity is Severity.ERROR:
            return  # shown with the diagnostics, or with the step that failed
        step, _ = self._begun.get(urn, (None, 0.0))
        sign, doing = (_WORDS[step.op][0], _WORDS[step.op][1]) if step else (" ", "")
        for line in text.splitlines() or [""]:
            kind = "" if severity is Severity.INFO else f"{severity}: "
            elapsed = f"({self._elapsed(urn)}) " if step and doing else ""
            self._print(f" {self._sign(sign)} {_label(urn)} {doing}{' ' if doing else ''}{elapsed}{kind}{line}")

    def _line(self, step: Step, word: str, elapsed: str) -> None:
        timing = "" if self._preview else f" ({elapsed})"
        self._print(
            f" {self._sign(_WORDS[step.op][0])} {_label(step.urn)} {word}{timing} {_hint(step)}".rstrip(" ") + " "
        )

    def _elapsed(self, urn: str) -> str:
        begun = self._begun.get(urn)
        passed = time.monotonic() - begun[1] if begun else 0.0
        return f"{passed:.2f}s" if passed < 10 else f"{passed:.0f}s"

    def _sign(self, sign: str) -> str:
        colour = _COLOURS.get(sign)
        return f"\x1b[{colour}m{sign:<2}\x1b[0m" if self._colour and colour else f"{sign:<2}"

    def _red(self, text: str) -> str:
        return f"\x1b[31m{text}\x1b[0m" if self._colour else text

    def _print(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()

    def finish(self, *, show_outputs: bool, show_secrets: bool = False) -> None:
        """The parts after the last line of progress."""
        with self.lock:
            self._finish(show_outputs=show_outputs, show_secrets=show_secrets)

    def _finish(self, *, show_outputs: bool, show_secrets: bool) -> None:
        for line in diagnostics(self.messages):
            self._print(line)
        if show_outputs and self.outputs is not None and (self.outputs or self.old_outputs):
            self._print("Outputs:")
            for line in output_lines(self.old_outputs, self.outputs, show_secrets=show_secrets):
                self._print(line)
            self._print("")
        self._print("Resources:")
        for line in summary_lines(self.tally.changes, preview=self._preview):
            self._print(f"    {line}")
        if not self._preview:
            self._print(f"\nDuration: {max(1, round(time.monotonic() - self.started))}s\n")


def _label(urn: str) -> str:
    return f"{type_of(urn)} {name_of(urn)}"


def _hint(step: Step) -> str:
    """Which properties are the reason, as `[diff: ~value,+tags]`."""
    if step.op not in {Op.UPDATE, Op.REPLACE, Op.CREATE_REPLACEMENT} or not (
        step.diff.changed_keys or step.diff.detailed
    ):
        return ""
    signs = {"add": "+", "delete": "-", "update": "~"}
    tops: dict[str, str] = {}
    for path, diff in step.diff.detailed.items():
        top = path.split(".")[0].split("[")[0]
        sign = signs[diff.kind.removesuffix("-replace")] if path == top else "~"
        tops.setdefault(top, sign)
    for key in step.diff.changed_keys:
        tops.setdefault(key, "~")
    return f"[diff: {','.join(sign + key for key, sign in sorted(tops.items()))}]"


def diagnostics(messages: Iterable[Message]) -> list[str]:
    """Messages by resource, errors as the CLI writes them."""
    by_urn: dict[str, list[str]] = {}
    for message in messages:
        kind = "" if message.severity is Severity.INFO else f"{message.severity}: "
        lines = (kind + message.text).splitlines() or [kind]
        by_urn.setdefault(message.urn, []).extend(lines)
    if not by_urn:
        return []
    result = ["Diagnostics:"]
    for urn, lines in by_urn.items():
        result.append(f"  {type_of(urn)} ({name_of(urn)}):")
        result += [f"    {line}" for line in lines]
        result.append("")
    return result


def summary_lines(changes: Mapping[str, int], *, preview: bool) -> list[str]:
    """`+ 3 created`, and last `5 changes. 2 unchanged`; the total only where there are several kinds."""
    counts = {op: changes[op] for op in _SUMMARY if changes.get(op)}
    lines = [
        f"{_SUMMARY[op][0]}{n} {f'to {_SUMMARY[op][2]}' if preview else _SUMMARY[op][1]}" for op, n in counts.items()
    ]
    last = [f"{sum(counts.values())} changes"] if len(counts) > 1 else []
    if changes.get("same"):
        last.append(f"{changes['same']} unchanged")
    return [*lines, *([". ".join(last)] if last else [])]


def output_lines(old: Mapping[str, Any], new: Mapping[str, Any], *, show_secrets: bool) -> list[str]:
    """The stack's outputs, changes marked."""
    lines: list[str] = []
    for key in sorted({*old, *new}):
        if key not in new:
            lines.append(f"  - {key}: {shown(old[key], show_secrets=show_secrets)}")
            continue
        unchanged = not old or (key in old and old[key] == new[key])
        sign = " " if unchanged else "~" if key in old else "+"
        before = f"{shown(old[key], show_secrets=show_secrets)} => " if sign == "~" else ""
        lines.append(f"  {sign} {key}: {before}{shown(new[key], show_secrets=show_secrets)}")
    return lines
