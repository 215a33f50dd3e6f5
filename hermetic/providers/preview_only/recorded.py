"""What of a cloud is known without asking it: which changes replace a resource, and what some functions answer.

Both are files beside this module, with their source and the day on which they were recorded.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hermetic.providers.check import Values
from hermetic.providers.diff import PropertyChange
from hermetic.providers.driver import ProviderError
from hermetic.providers.rules import Rules
from hermetic.values import secret

CLI = "https://www.pulumi.com/docs/install/"
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Replacements:
    """The recorded types of one package: which changes of which paths replace an object."""

    types: Mapping[str, Mapping[str, Any]]

    def rules(self, token: str) -> Rules:
        """The table of a type; of one that was not recorded, no change replaces."""
        known = self.types.get(token, {})
        return Rules(
            resource_type=token, replaces=frozenset(known.get("replaces", ())), sets=frozenset(known.get("sets", ()))
        )

    def rules_for(self, rules: Rules, news: Values, changes: Sequence[PropertyChange]) -> Rules:
        """The table with what replaces under conditions that these inputs and changes meet."""
        known = self.types.get(rules.resource_type, {})
        switches: Mapping[str, str] = known.get("replacesWhenOn", {})
        met = {path for path, switch in switches.items() if news.get(switch) is True}
        for change in changes:
            whole = change.path == change.root and change.change != "UPDATE"
            if whole and change.root in known.get("replacesWhenAddedOrRemoved", ()):
                met.add(change.root)
            if change.change != "ADD" and change.root in known.get("replacesWhenElementGoes", ()):
                met.add(change.root)
        return replace(rules, replaces=(rules.replaces or frozenset()) | met)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function gives, and the words that say where it comes from."""

    result: Values
    warning: str


@dataclass(frozen=True, slots=True)
class Answers:
    """The recorded answers of one package."""

    cloud: str
    recorded: str
    functions: Mapping[str, list[Mapping[str, Any]]]

    @property
    def examples(self) -> frozenset[str]:
        """Values that are well formed and nothing else: that they differ from real ones means nothing."""
        return frozenset(
            entry["example"] for entries in self.functions.values() for entry in entries if entry["example"]
        )

    def to(self, function: str, arguments: Values, configuration: Values) -> Answer:
        """The recorded answer; ProviderError when there is none."""
        scope = {**configuration, **arguments}
        for entry in self.functions.get(function, ()):
            if arguments.keys() <= set(entry["arguments"]) and _fits(entry["when"], scope):
                result = _filled(entry["result"], scope)
                hidden = {name: secret(result[name]) for name in entry.get("secret", ())}
                return Answer(result | hidden, self._warning(entry, scope))
        # Arguments of functions that nobody looked at may be secrets.
        shown = sorted(f"{name}: {value}" if function in self.functions else name for name, value in arguments.items())
        raise ProviderError(
            f"no answer of {self.cloud} is recorded for {function} ({', '.join(shown)}): use the Pulumi CLI ({CLI}), "
            "which asks it"
        )

    def _warning(self, entry: Mapping[str, Any], scope: Values) -> str:
        about = _filled(entry["about"], scope)
        example = f": {entry['example']} is only an example" if entry["example"] else ""
        return f"{about} is answered from data recorded on {self.recorded}, not by {self.cloud}{example}"


def _fits(patterns: Mapping[str, str], scope: Values) -> bool:
    return all(re.fullmatch(pattern, str(scope.get(name, ""))) for name, pattern in patterns.items())


def _filled(value: Any, scope: Values) -> Any:
    """The value with every `{name}` in its texts filled in: an argument, or a setting of the provider."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: str(scope.get(found.group(1), "")), value)
    if isinstance(value, dict):
        return {key: _filled(part, scope) for key, part in value.items()}
    return [_filled(part, scope) for part in value] if isinstance(value, list) else value


@functools.cache
def replacements(package: str) -> Replacements:
    """`replacements_<package>.json`."""
    return Replacements(_read(f"replacements_{package}.json")["types"])


@functools.cache
def answers(package: str) -> Answers:
    """`answers_<package>.json`."""
    read = _read(f"answers_{package}.json")
    return Answers(cloud=read["cloud"], recorded=read["recorded"], functions=read["functions"])


def _read(name: str) -> dict[str, Any]:
    return json.loads((_FOLDER / name).read_text(encoding="utf-8"))
