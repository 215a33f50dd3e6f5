"""The command line: words and flags of the Pulumi CLI, in any order, refused where they mean nothing here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class UsageError(Exception):
    """A command line that is not understood; the message is one line."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag: its long name, and whether a value follows."""

    name: str
    takes_value: bool = False


_SHORT = {
    "-s": "--stack", "-C": "--cwd", "-y": "--yes", "-f": "--skip-preview", "-p": "--parallel", "-t": "--target",
    "-r": "--refresh", "-j": "--json", "-d": "--debug", "-h": "--help", "-i": "--show-ids",
}  # fmt: skip
GLOBAL = (
    Flag("--stack", takes_value=True), Flag("--cwd", takes_value=True), Flag("--non-interactive"), Flag("--debug"),
    Flag("--color", takes_value=True), Flag("--help"),
)  # fmt: skip
_RUN = (
    Flag("--yes"), Flag("--skip-preview"), Flag("--parallel", takes_value=True), Flag("--target", takes_value=True),
    Flag("--show-secrets"), Flag("--expect-no-changes"), Flag("--message", takes_value=True),
    Flag("--continue-on-error"), Flag("--suppress-outputs"), Flag("--refresh"), Flag("--target-dependents"),
)  # fmt: skip
COMMANDS: Mapping[tuple[str, ...], tuple[Flag, ...]] = {
    ("preview",): (
        Flag("--json"), Flag("--diff"), Flag("--parallel", takes_value=True), Flag("--target", takes_value=True),
        Flag("--target-dependents"), Flag("--refresh"), Flag("--expect-no-changes"), Flag("--show-secrets"),
        Flag("--suppress-outputs"), Flag("--message", takes_value=True), Flag("--continue-on-error"),
    ),
    ("up",): (*_RUN, Flag("--diff")),
    ("refresh",): _RUN,
    ("destroy",): (*_RUN, Flag("--remove")),
    ("cancel",): (Flag("--yes"),),
    ("stack",): (Flag("--show-urns"),),
    ("stack", "init"): (Flag("--no-select"),),
    ("stack", "ls"): (Flag("--json"), Flag("--all")),
    ("stack", "select"): (Flag("--create"),),
    ("stack", "output"): (Flag("--json"), Flag("--show-secrets")),
    ("stack", "export"): (Flag("--file", takes_value=True), Flag("--show-secrets")),
    ("stack", "import"): (Flag("--file", takes_value=True), Flag("--force")),
    ("stack", "rm"): (Flag("--yes"), Flag("--force"), Flag("--preserve-config")),
    ("config",): (Flag("--json"), Flag("--show-secrets")),
    ("config", "set"): (Flag("--secret"), Flag("--path"), Flag("--plaintext")),
    ("config", "get"): (Flag("--json"), Flag("--path")),
    ("version",): (),
}  # fmt: skip
_ALIASES = {
    "update": "up", "pre": "preview", "dn": "destroy", "down": "destroy", "delete": "destroy",
}  # fmt: skip
_GROUPS = frozenset({"stack", "config"})
_ARGUMENTS: Mapping[tuple[str, ...], tuple[int, int]] = {
    ("stack", "init"): (0, 1), ("stack", "select"): (0, 1), ("stack", "output"): (0, 1), ("stack", "rm"): (0, 1),
    ("config", "set"): (1, 2), ("config", "get"): (1, 1), ("cancel",): (0, 1),
}  # fmt: skip


@dataclass(slots=True)
class Arguments:
    """A command line that was understood."""

    command: tuple[str, ...] = ()
    words: list[str] = field(default_factory=list)
    values: dict[str, list[str]] = field(default_factory=dict)

    def has(self, flag: str) -> bool:
        """Whether a flag without value was given (and not as `--flag=false`)."""
        return self.values.get(flag, ["false"])[-1] == "true"

    def text(self, flag: str, default: str = "") -> str:
        """The value of a flag, the last one wins."""
        return self.values.get(flag, [default])[-1]

    def texts(self, flag: str) -> list[str]:
        """The values of a flag that may be repeated, or hold several, parted by commas."""
        return [each for value in self.values.get(flag, []) for each in value.split(",") if each]

    def number(self, flag: str, default: int) -> int:
        """A whole number above zero."""
        text = self.text(flag, str(default))
        if not text.lstrip("-").isdigit():
            raise UsageError(f'invalid argument "{text}" for "{flag}" flag: a whole number is needed')
        if int(text) < 1:
            raise UsageError(f"{flag} is {text}: at least 1 is needed")
        return int(text)


def parse(argv: Sequence[str]) -> Arguments:
    """Read a command line; raises UsageError."""
    words, flags = _separate(argv)
    arguments = Arguments()
    arguments.command, arguments.words = _command(words)
    known = {flag.name: flag for flag in (*GLOBAL, *COMMANDS.get(arguments.command, ()))}
    for name, value in flags:
        if name not in known:
            raise UsageError(_unknown_flag(name, arguments.command))
        if value is not None and not known[name].takes_value and value not in {"true", "false"}:
            raise UsageError(f'invalid argument "{value}" for "{name}" flag: it takes no value')
        arguments.values.setdefault(name, []).append("true" if value is None else value)
    low, high = _ARGUMENTS.get(arguments.command, (0, 0))
    if not low <= len(arguments.words) <= high:
        wanted = f"{low}" if low == high else f"{low} to {high}"
        raise UsageError(f"`{' '.join(arguments.command)}` takes {wanted} arguments, got {len(arguments.words)}")
    return arguments


def _separate(argv: Sequence[str]) -> tuple[list[str], list[tuple[str, str | None]]]:
    """Words on one side, flags with their values on the other: flags may stand anywhere."""
    takes_value = {flag.name for flags in (GLOBAL, *COMMANDS.values()) for flag in flags if flag.takes_value}
    words: list[str] = []
    flags: list[tuple[str, str | None]] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if not word.startswith("-") or word == "-" or (words[:2] == ["config", "set"] and len(words) == 3):
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        if name[:2] != "--" and name not in _SHORT and name[:2] in _SHORT and not equals:
            name, equals, value = name[:2], "=", name[2:]
        name = _SHORT.get(name, name)
        if equals:
            flags.append((name, value))
        elif name in takes_value:
            if not rest:
                raise UsageError(f"flag needs an argument: {name}")
            flags.append((name, rest.pop(0)))
        else:
            flags.append((name, None))
    return words, flags


def _command(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    if not words:
        return (), []
    first = _ALIASES.get(words[0], words[0])
    if (first,) not in COMMANDS:
        known = ", ".join(sorted({command[0] for command in COMMANDS}))
        raise UsageError(
            f'unknown command "{words[0]}": the hermetic engine has {known}; for others use the Pulumi CLI'
        )
    if first in _GROUPS and len(words) > 1:
        if (first, words[1]) not in COMMANDS:
            known = ", ".join(sorted(command[1] for command in COMMANDS if command[0] == first and len(command) > 1))
            raise UsageError(
                f'unknown command "{first} {words[1]}": the hermetic engine has {first} {known}; '
                "for others use the Pulumi CLI"
            )
        return (first, words[1]), words[2:]
    return (first,), words[1:]


def _unknown_flag(name: str, command: tuple[str, ...]) -> str:
    where = f"`{' '.join(command)}`" if command else "the hermetic engine"
    return f"unknown flag: {name}: {where} of the hermetic engine does not support it; use the Pulumi CLI for it"
