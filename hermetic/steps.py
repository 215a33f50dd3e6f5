"""Which step for which resource: the engine's rules as pure functions of what is known, without calls and state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hermetic.property_paths import Path, contains, parse_path
from hermetic.values import UNKNOWN, PropertyMap, PropertyValue, is_secret


class Op(StrEnum):
    """The kinds of steps, by the names that Pulumi shows and writes."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"
    CREATE_REPLACEMENT = "create-replacement"
    DELETE_REPLACED = "delete-replaced"
    DISCARD = "discard"
    DISCARD_REPLACED = "discard-replaced"
    READ = "read"
    READ_REPLACEMENT = "read-replacement"
    REFRESH = "refresh"
    IMPORT = "import"
    IMPORT_REPLACEMENT = "import-replacement"
    REMOVE_PENDING_REPLACE = "remove-pending-replace"


# The parts of a replacement: the step REPLACE stands for them in plans and counts.
PARTS_OF_REPLACEMENT = frozenset(
    {
        Op.CREATE_REPLACEMENT,
        Op.DELETE_REPLACED,
        Op.DISCARD_REPLACED,
        Op.READ_REPLACEMENT,
        Op.IMPORT_REPLACEMENT,
        Op.REMOVE_PENDING_REPLACE,
    }
)


class Case(StrEnum):
    """What is known of a registered resource before its provider is asked."""

    IMPORT = "import"  # take an existing object over
    IMPORT_REPLACEMENT = "import-replacement"  # take another object over, and delete the old one
    RECREATE = "recreate"  # it was deleted earlier in this deployment
    ADOPT = "adopt"  # it was read before, now it is to be managed
    KEEP = "keep"  # it exists and is no target: it stays as it is
    SKIP = "skip"  # it does not exist and is no target: it is not made
    COMPARE = "compare"  # it exists: the difference decides
    CREATE = "create"


class Change(StrEnum):
    """What a difference asks for."""

    NONE = "none"
    UPDATE = "update"
    REPLACE = "replace"
    REPLACE_DELETE_FIRST = "replace-delete-first"


ADD, DELETE, UPDATE = "add", "delete", "update"
REPLACING = "-replace"
# The path under which options speak of an object that failed to initialise.
INIT_ERROR = "#initerror"


@dataclass(frozen=True, slots=True)
class PropertyDiff:
    """One entry of a detailed diff; kind is add, delete or update, with `-replace` after it where it replaces."""

    kind: str
    input_diff: bool = False

    @property
    def replaces(self) -> bool:
        return self.kind.endswith(REPLACING)

    def replacing(self) -> "PropertyDiff":
        """The same change as a reason for a replacement."""
        return self if self.replaces else PropertyDiff(self.kind + REPLACING, self.input_diff)


@dataclass(frozen=True, slots=True)
class Diff:
    """A provider's answer to the question what differs; `changes` None means that it does not know."""

    changes: bool | None
    replace_keys: tuple[str, ...] = ()
    changed_keys: tuple[str, ...] = ()
    stable_keys: tuple[str, ...] = ()
    detailed: Mapping[str, PropertyDiff] = field(default_factory=dict)
    delete_before_replace: bool = False
    # A replacement for a reason that is no property.
    forced: bool = False

    @property
    def replaces(self) -> bool:
        return self.forced or bool(self.replace_keys) or any(each.replaces for each in self.detailed.values())


NO_DIFF = Diff(changes=False)


def case_of(
    *, exists: bool, custom: bool, external: bool, recreating: bool, targeted: bool, import_id: str, known_id: str
) -> Case:
    """The case of a registration.

    `exists`, `external` and `known_id` speak of the state's entry: its import id, or its id. A deleted entry of this
    deployment is `recreating`.
    """
    if custom and import_id and (not exists or external or known_id != import_id):
        return Case.IMPORT_REPLACEMENT if exists and not recreating else Case.IMPORT
    if recreating:
        return Case.RECREATE
    if not exists:
        return Case.CREATE if targeted else Case.SKIP
    if external:
        return Case.ADOPT
    return Case.COMPARE if targeted else Case.KEEP


def change_of(
    diff: Diff, *, unhealthy: bool, delete_before_replace: bool | None, pending_replacement: bool = False
) -> Change:
    """What to do about a difference; an object that failed to initialise is updated even without one.

    `delete_before_replace` is the option of the program; None leaves it to the provider. With `pending_replacement`
    the object is already deleted, so that it is made anew whatever the provider says.
    """
    if pending_replacement or (diff.changes and diff.replaces):
        first = diff.delete_before_replace if delete_before_replace is None else delete_before_replace
        return Change.REPLACE_DELETE_FIRST if first else Change.REPLACE
    return Change.UPDATE if diff.changes or unhealthy else Change.NONE


def with_replace_on_changes(diff: Diff, paths: Iterable[str], *, unhealthy: bool = False) -> Diff:
    """The difference with changes at the given paths turned into reasons to replace.

    That an object failed to initialise counts as a change at the path `#initerror`, which `*` covers too.
    """
    wanted = [parse_path(path) for path in paths]
    if unhealthy and _touches(wanted, INIT_ERROR):
        replaced = {INIT_ERROR: PropertyDiff(UPDATE + REPLACING)} if diff.detailed else {}
        keys = (*diff.replace_keys, INIT_ERROR)
        diff = replace(diff, changes=True, replace_keys=keys, detailed={**diff.detailed, **replaced})
    if not diff.changes or not wanted:
        return diff
    detailed = {
        text: each.replacing() if _touches(wanted, text) else each for text, each in diff.detailed.items()
    }  # fmt: skip
    keys = set(diff.replace_keys)
    keys.update(key for key in diff.changed_keys if _touches(wanted, key))
    return replace(diff, detailed=detailed, replace_keys=tuple(sorted(keys)))


def _touches(wanted: list[Path], text: str) -> bool:
    path = parse_path(text)
    return any(contains(each, path) for each in wanted)


def settled(diff: Diff, old_inputs: PropertyMap, new_inputs: PropertyMap) -> Diff:
    """A difference that is yes or no: where the provider does not know, the inputs decide."""
    if diff.changes is not None:
        return diff
    detailed = compare(old_inputs, new_inputs)
    keys = tuple(dict.fromkeys(str(parse_path(text)[0]) for text in detailed))
    return replace(diff, changes=bool(detailed), changed_keys=keys, detailed=detailed)


def compare(old: PropertyMap, new: PropertyMap) -> dict[str, PropertyDiff]:
    """A detailed diff of two maps of inputs; secretness is part of a value, an unknown is always different.

    Inside secrets nothing is told apart, and a null is as good as nothing.
    """
    found: dict[str, PropertyDiff] = {}
    _compare_maps(old, new, "", found)
    return found


def _compare(old: PropertyValue, new: PropertyValue, path: str, found: dict[str, PropertyDiff]) -> None:
    if is_secret(old) or is_secret(new):
        if not (is_secret(old) and is_secret(new)) or compare({"": old["value"]}, {"": new["value"]}):
            found[path] = PropertyDiff(UPDATE, input_diff=True)
    elif isinstance(old, dict) and isinstance(new, dict):
        _compare_maps(old, new, path, found)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            place = f"{path}[{index}]"
            if index >= len(old):
                found[place] = PropertyDiff(ADD, input_diff=True)
            elif index >= len(new):
                found[place] = PropertyDiff(DELETE, input_diff=True)
            else:
                _compare(old[index], new[index], place, found)
    elif not same_value(old, new):
        found[path] = PropertyDiff(UPDATE, input_diff=True)


def _compare_maps(old: PropertyMap, new: PropertyMap, path: str, found: dict[str, PropertyDiff]) -> None:
    for key in sorted({*old, *new}):
        place, before, after = _inside(path, key), old.get(key), new.get(key)
        if before is None and after is not None:
            found[place] = PropertyDiff(ADD, input_diff=True)
        elif before is not None and after is None:
            found[place] = PropertyDiff(DELETE, input_diff=True)
        else:
            _compare(before, after, place, found)


def _inside(path: str, key: str) -> str:
    if not any(mark in key for mark in '.[]"'):
        return f"{path}.{key}" if path else key
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{path}["{quoted}"]'


def same_value(old: PropertyValue, new: PropertyValue) -> bool:
    """Equality as JSON has it: a boolean is no number; what is unknown equals nothing."""
    if isinstance(old, bool) != isinstance(new, bool):
        return False
    return old == new and new != UNKNOWN


@dataclass(frozen=True, slots=True)
class Deletion:
    """What is known of an entry of the old state after the program ended."""

    marked: bool  # an object that was replaced and is still to be deleted
    seen: bool  # the program registered it, under its URN or an alias
    pending_replacement: bool  # its object is gone, the replacement was not made
    external: bool = False  # the object was only read: it is forgotten, not deleted


def deletion_of(entry: Deletion) -> Op | None:
    """Whether and how an entry of the old state is deleted; None keeps it."""
    if entry.marked:
        return Op.DISCARD_REPLACED if entry.external else Op.DELETE_REPLACED
    if entry.seen:
        return None
    if entry.pending_replacement:
        return Op.REMOVE_PENDING_REPLACE
    return Op.DISCARD if entry.external else Op.DELETE
