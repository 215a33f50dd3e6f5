"""The project file Pulumi.yaml and the stack files Pulumi.<stack>.yaml, read and written as the Pulumi CLI does."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from hermetic.backend import pulumi_home
from hermetic.durable import make_private_folder, write_durably
from hermetic.secrets import Crypter, PassphraseCrypter, SecretsError, passphrase_from_environment
from hermetic.state import kind_of

PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml")
MASKED = "[secret]"

_SETTINGS_MODE = 0o644
_PROJECT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_CONFIG_TYPES = ("string", "integer", "number", "boolean", "array", "object")
_PROJECT_KEYS = frozenset(
    {
        "name", "runtime", "description", "main", "config", "plugins", "backend", "stackConfigDir",
        # These say something about a project and change nothing in a deployment.
        "author", "website", "license", "template",
    }
)  # fmt: skip
_STACK_KEYS = frozenset({"encryptionsalt", "config", "secretsprovider", "encryptedkey", "environment"})
_PATH_STEP = re.compile(r'\.?([^.\[\]"]+)|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]')


class ProjectError(Exception):
    """A project or stack file that cannot be used; the message names file, field, value and fix."""


@dataclass(frozen=True, slots=True)
class PluginPath:
    """An entry of `plugins.providers`: the folder that has the executable `pulumi-resource-<name>`."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class ConfigType:
    """A key of the project's `config` block; `key` is `namespace:name`, `type` None where it only gives a value."""

    key: str
    declared: str
    type: str | None = None
    items: "ConfigType | None" = None
    secret: bool = False
    default: Any = None

    @property
    def type_name(self) -> str:
        """The type in the CLI's words: `array<string>`."""
        return f"array<{self.items.type_name}>" if self.type == "array" and self.items else str(self.type)


@dataclass(frozen=True, slots=True)
class Project:
    """What Pulumi.yaml says."""

    file: Path
    name: str
    main: str = "."
    description: str = ""
    virtualenv: Path | None = None
    plugins: tuple[PluginPath, ...] = ()
    config: tuple[ConfigType, ...] = ()
    backend_url: str | None = None
    stack_config_folder: str = "."

    @property
    def folder(self) -> Path:
        """Where Pulumi.yaml lies."""
        return self.file.parent

    @classmethod
    def load(cls, directory: Path) -> "Project":
        """Read the project of a directory: its own Pulumi.yaml, else the nearest one above."""
        file = _find_project_file(directory.resolve())
        document = _plain(_read_yaml(file))
        fields = _Fields(file, document if document is not None else {})
        fields.refuse_unknown(_PROJECT_KEYS, "the hermetic engine does not have it; use the Pulumi CLI for it")
        name = fields.text("name")
        if not _PROJECT_NAME.fullmatch(name):
            raise ProjectError(
                f"{file}: name is {name!r}: a project name may only contain alphanumerics, hyphens, underscores, or "
                "periods, and at most 100 of them"
            )
        return cls(
            file=file,
            name=name,
            main=fields.text("main", "."),
            description=fields.text("description", ""),
            virtualenv=_virtualenv(fields),
            plugins=_plugins(fields),
            config=_config_types(fields, name),
            backend_url=fields.inside("backend", {"url"}).text("url", "") or None,
            stack_config_folder=fields.text("stackConfigDir", "."),
        )

    def key(self, text: str) -> str:
        """The full key `namespace:name` of what was written as `name` or `namespace:name`."""
        namespace, colon, name = text.rpartition(":")
        if colon and (not namespace or not name):
            raise ProjectError(f"invalid configuration key {text!r}: write NAME or NAMESPACE:NAME")
        return text.replace(":config:", ":") if colon else f"{self.name}:{text}"

    def stack_config_file(self, stack: str) -> Path:
        """Where the settings of a stack stand."""
        return self.folder / self.stack_config_folder / f"Pulumi.{stack}.yaml"


class StackConfig:
    """The settings of one stack; changes keep comments and order, and reach the disk with `save`."""

    def __init__(self, project: Project, stack: str, document: CommentedMap) -> None:
        """Use `load`."""
        self.project = project
        self.stack = stack
        self.file = project.stack_config_file(stack)
        self._document = document

    @classmethod
    def load(cls, project: Project, stack: str) -> "StackConfig":
        """Read the stack's file; a file that is not there is an empty one."""
        file = project.stack_config_file(stack)
        document = _read_yaml(file) if file.is_file() else None
        if document is None:
            document = CommentedMap()
        fields = _Fields(file, document)
        fields.refuse_unknown(_STACK_KEYS, "a stack file has encryptionsalt and config")
        if fields.text("secretsprovider", "passphrase") not in {"passphrase", "default", ""} or document.get(
            "encryptedkey"
        ):
            raise ProjectError(
                f"{file}: secretsprovider is {document.get('secretsprovider')!r}: the hermetic engine has only the "
                "passphrase provider; change it with `pulumi stack change-secrets-provider passphrase`"
            )
        if document.get("environment"):
            raise ProjectError(f"{file}: environment is set: the hermetic engine has no ESC environments; use the CLI")
        config = document.get("config")
        if config is not None and not isinstance(config, CommentedMap):
            raise ProjectError(f"{file}: config is {kind_of(config)}: it must be a mapping of keys to values")
        return cls(project, stack, document)

    def save(self) -> None:
        """Write the file, with the mode it had."""
        text = StringIO()
        _yaml().dump(self._document, text)
        mode = self.file.stat().st_mode & 0o777 if self.file.exists() else _SETTINGS_MODE
        write_durably(self.file, text.getvalue().encode(), mode=mode)

    @property
    def salt(self) -> str | None:
        """`encryptionsalt`, when the stack has one."""
        return self._document.get("encryptionsalt") or None

    def crypter(self, environment: Mapping[str, str] | None = None) -> Crypter:
        """The stack's crypter, by the passphrase of the environment; a stack without salt gets one, and is saved."""
        passphrase = passphrase_from_environment(environment)
        if self.salt is not None:
            try:
                return PassphraseCrypter.from_salt(self.salt, passphrase)
            except SecretsError as error:
                raise type(error)(f"stack '{self.stack}': {error}") from error
        if self.has_secrets():
            raise ProjectError(
                f"{self.file}: there are secure values and no encryptionsalt: restore that line, or set the values anew"
            )
        crypter = PassphraseCrypter.new(passphrase)
        self._document.insert(0, "encryptionsalt", crypter.salt)
        self.save()
        return crypter

    def has_secrets(self) -> bool:
        """Whether any value is a secure one."""
        return any(_has_secure(value) for value in self.values().values())

    def values(self) -> dict[str, Any]:
        """The values as the file has them (secure ones as {"secure": ciphertext}), by full key, in order of keys."""
        config = _plain(self._document.get("config")) or {}
        return dict(sorted((self.project.key(str(key)), value) for key, value in config.items()))

    def set(
        self, key: str, value: str, *, secret: bool = False, path: bool = False, crypter: Crypter | None = None
    ) -> None:
        """Set a value; with `path` the key may lead into one (`a.list[0]`, `a["b.c"]`). A secret needs the crypter."""
        if secret and crypter is None:
            raise ProjectError(f"config {key} is secret: a crypter is needed to set it")
        entry: Any = CommentedMap(secure=crypter.encrypt(value)) if secret and crypter else _text_for_yaml(value)
        namespace, steps = self._split(key, path=path)
        if len(steps) > 1 and not secret:
            entry = _typed_by_looks(value)
        config = self._document.get("config")
        if config is None:
            config = self._document["config"] = CommentedMap()
        first = self._spelling(config, f"{namespace}:{steps[0]}")
        _put(config, [first, *steps[1:]], entry, f"config {key}")

    def get(self, key: str, *, path: bool = False, crypter: Crypter | None = None) -> str | None:
        """The text of a value, decrypted, with the project's default; None when there is none."""
        namespace, steps = self._split(key, path=path)
        found = self._with_defaults().get(f"{namespace}:{steps[0]}")
        for step in steps[1:]:
            if isinstance(found, dict) and "secure" not in found:
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return None if found is None else _as_text(_decrypted(found, _decrypter(crypter)))

    def runtime_values(self, crypter: Crypter | None = None) -> tuple[dict[str, str], list[str]]:
        """What the program gets: each value's text by full key, nested values as JSON; and the keys that are secret.

        The project's defaults are in it. Raises ProjectError for what is missing or of another type than declared.
        """
        values = self._with_defaults()
        self._refuse_missing(values)
        decrypt = _decrypter(crypter)
        plain = {key: _decrypted(value, decrypt) for key, value in values.items()}
        for declared in self.project.config:
            if declared.type is not None and declared.key in plain:
                self._check_type(declared, values[declared.key], plain[declared.key])
        secret = [key for key, value in values.items() if _has_secure(value)]
        return {key: _as_text(value) for key, value in plain.items()}, secret

    def masked_values(self) -> dict[str, str]:
        """The same for the eye: secrets are replaced by `[secret]`; no passphrase is needed."""
        return {key: _as_text(_decrypted(value, lambda _: MASKED)) for key, value in self._with_defaults().items()}

    def _with_defaults(self) -> dict[str, Any]:
        defaults = {each.key: each.default for each in self.project.config if each.default is not None}
        return dict(sorted((defaults | self.values()).items()))

    def _refuse_missing(self, values: Mapping[str, Any]) -> None:
        own = f"{self.project.name}:"
        missing = [each.declared for each in self.project.config if each.key.startswith(own) and each.key not in values]
        if missing:
            words = "value" if len(missing) == 1 else "values"
            raise ProjectError(
                f"Stack '{self.stack}' is missing configuration {words} {_listed(sorted(missing))}: "
                f"set it with `config set {sorted(missing)[0]} VALUE`"
            )

    def _check_type(self, declared: ConfigType, value: Any, plain: Any) -> None:
        where = f"Stack '{self.stack}' with configuration key '{declared.declared}' must be"
        if declared.secret and not _has_secure(value):
            raise ProjectError(
                f"{where} encrypted as it's secret: set it with `config set --secret {declared.declared} VALUE`"
            )
        if not _fits(declared, plain):
            shown = MASKED if _has_secure(value) else _as_text(plain)
            raise ProjectError(
                f"{where} of type '{declared.type_name}': {self.file.name} has {shown!r}; correct it there or with "
                f"`config set {declared.declared} VALUE`"
            )

    def _split(self, key: str, *, path: bool) -> tuple[str, list[str | int]]:
        """Namespace and steps of a key; without `path` dots and brackets are part of the name."""
        if not path:
            namespace, _, name = self.project.key(key).rpartition(":")
            return namespace, [name]
        head = re.match(r"[^.\[\"]*:", key)
        namespace = head[0][:-1] if head else self.project.name
        return namespace, _path_steps(key[head.end() :] if head else key)

    def _spelling(self, config: CommentedMap, key: str) -> str:
        """The key as the file spells it, when it is there without its namespace."""
        return next((each for each in config if self.project.key(str(each)) == key), key)


def selected_stack(project: Project, environment: Mapping[str, str] | None = None) -> str | None:
    """The stack chosen by `stack select`, by this engine or the CLI; PULUMI_STACK goes before it."""
    values = os.environ if environment is None else environment
    if values.get("PULUMI_STACK"):
        return values["PULUMI_STACK"]
    file = _workspace_file(project, values)
    try:
        return json.loads(file.read_bytes()).get("stack") or None
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        raise ProjectError(f"{file} is not a JSON object: remove it and run `stack select` again") from error


def select_stack(project: Project, stack: str | None, environment: Mapping[str, str] | None = None) -> None:
    """Remember the chosen stack of the project; None forgets it."""
    file = _workspace_file(project, os.environ if environment is None else environment)
    if stack is None:
        file.unlink(missing_ok=True)
        return
    make_private_folder(file.parent)
    write_durably(file, json.dumps({"stack": stack}, indent=4).encode())


def _workspace_file(project: Project, environment: Mapping[str, str]) -> Path:
    # The CLI names the file by a digest of the path; nothing is protected by it.
    digest = hashlib.sha1(str(project.file).encode(), usedforsecurity=False).hexdigest()
    return pulumi_home(environment) / "workspaces" / f"{project.name}-{digest}-workspace.json"


class _Fields:
    """A mapping of a settings file, read with errors that name file and field."""

    def __init__(self, file: Path, document: Any, prefix: str = "") -> None:
        if not isinstance(document, dict):
            raise ProjectError(f"{file}: {prefix or 'the file'} is {kind_of(document)}: it must be a mapping")
        self.file = file
        self.document: dict[str, Any] = document
        self.prefix = prefix

    def text(self, key: str, default: str | None = None) -> str:
        value = self.document.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            found = "is missing" if value is None else f"is {value!r}"
            raise ProjectError(f"{self.file}: {self.name(key)} {found}: a text is needed")
        return value

    def inside(self, key: str, known: set[str]) -> "_Fields":
        value = self.document.get(key)
        fields = _Fields(self.file, {} if value is None else value, self.name(key))
        fields.refuse_unknown(known, f"known are {', '.join(sorted(known))}")
        return fields

    def refuse_unknown(self, known: frozenset[str] | set[str], hint: str) -> None:
        for key in self.document:
            if key not in known:
                raise ProjectError(f"{self.file}: {self.name(key)} is not supported: {hint}")

    def name(self, key: str) -> str:
        return f"{self.prefix}.{key}" if self.prefix else str(key)


def _find_project_file(directory: Path) -> Path:
    for folder in (directory, *directory.parents):
        for name in PROJECT_FILES:
            if (folder / name).is_file():
                return folder / name
    raise ProjectError(
        f"no Pulumi.yaml project file found (searching upwards from {directory}). If you have not created a project "
        "yet, use `pulumi new` to do so"
    )


def _virtualenv(fields: _Fields) -> Path | None:
    runtime = fields.document.get("runtime")
    if isinstance(runtime, str):
        runtime = {"name": runtime}
    inner = _Fields(fields.file, runtime, "runtime")
    inner.refuse_unknown({"name", "options"}, "known are name, options")
    if inner.text("name") != "python":
        raise ProjectError(
            f"{fields.file}: runtime.name is {inner.text('name')!r}: the hermetic engine runs python only"
        )
    options = inner.inside("options", {"virtualenv", "toolchain"})
    if options.text("toolchain", "pip") != "pip":
        raise ProjectError(
            f"{fields.file}: runtime.options.toolchain is {options.text('toolchain')!r}: the hermetic engine has pip"
        )
    name = options.text("virtualenv", "")
    return fields.file.parent / name if name else None


def _plugins(fields: _Fields) -> tuple[PluginPath, ...]:
    plugins = fields.inside("plugins", {"providers"})
    entries = plugins.document.get("providers") or []
    if not isinstance(entries, list):
        raise ProjectError(f"{fields.file}: plugins.providers is {kind_of(entries)}: it must be a list")
    found: list[PluginPath] = []
    for number, entry in enumerate(entries):
        provider = _Fields(fields.file, entry, f"plugins.providers[{number}]")
        provider.refuse_unknown({"name", "path"}, "known are name, path")
        found.append(PluginPath(provider.text("name"), (fields.file.parent / provider.text("path")).resolve()))
    return tuple(found)


def _config_types(fields: _Fields, project: str) -> tuple[ConfigType, ...]:
    config = fields.document.get("config")
    block = _Fields(fields.file, {} if config is None else config, "config")
    return tuple(_config_type(block, key, value, project) for key, value in block.document.items())


def _config_type(block: _Fields, declared: str, value: Any, project: str) -> ConfigType:
    own = ":" not in declared or declared.startswith(f"{project}:")
    key = declared if ":" in declared else f"{project}:{declared}"
    if not isinstance(value, dict):
        return ConfigType(key=key, declared=declared, default=value)
    fields = _Fields(block.file, value, block.name(declared))
    fields.refuse_unknown({"type", "items", "description", "secret", "default", "value"}, "see the Pulumi project file")
    wrong = sorted({"value"} & value.keys()) if own else sorted({"type", "items", "default"} & value.keys())
    if wrong:
        raise ProjectError(
            f"{block.file}: {fields.name(wrong[0])}: a key of the project has a default and no value"
            if own
            else f"{block.file}: {fields.name(wrong[0])}: a key of another namespace has only a value"
        )
    if not own:
        return ConfigType(key=key, declared=declared, default=value.get("value"), secret=bool(value.get("secret")))
    if "type" not in value and "default" not in value:
        raise ProjectError(f"{block.file}: {fields.name('type')} is missing: one of {', '.join(_CONFIG_TYPES)}")
    found = _declared_type(fields, key, declared)
    if found.default is not None and found.type is not None and not _fits(found, found.default):
        raise ProjectError(
            f"{block.file}: {fields.name('default')} is {found.default!r}: the type is {found.type_name}; correct one"
        )
    return found


def _declared_type(fields: _Fields, key: str, declared: str) -> ConfigType:
    kind = fields.text("type", "") or None
    if kind is not None and kind not in _CONFIG_TYPES:
        raise ProjectError(f"{fields.file}: {fields.name('type')} is {kind!r}: one of {', '.join(_CONFIG_TYPES)}")
    items = fields.document.get("items")
    if (kind == "array") != (items is not None):
        raise ProjectError(f"{fields.file}: {fields.name('items')}: a key of type array has items, and only such a key")
    secret = fields.document.get("secret", False)
    if not isinstance(secret, bool):
        raise ProjectError(f"{fields.file}: {fields.name('secret')} is {secret!r}: true or false is needed")
    inner = None if items is None else _declared_type(_Fields(fields.file, items, fields.name("items")), key, declared)
    return ConfigType(key, declared, kind, inner, secret=secret, default=fields.document.get("default"))


def _fits(declared: ConfigType, value: Any) -> bool:
    """Whether a value is of the type; values of stack files are texts, so "5" is an integer and "true" a boolean."""
    if declared.type == "array":
        return isinstance(value, list) and all(declared.items is None or _fits(declared.items, each) for each in value)
    checks: dict[str, Callable[[Any], bool]] = {
        "string": lambda each: isinstance(each, str | int | float),
        "integer": lambda each: _is_number(each) and re.fullmatch(r"[+-]?\d+", _as_text(each)) is not None,
        "number": _is_number,
        "boolean": lambda each: isinstance(each, bool) or each in ("true", "false"),
        "object": lambda each: isinstance(each, dict),
    }
    return checks[declared.type or "string"](value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _listed(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _path_steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        found = _PATH_STEP.match(path, position)
        if not found or (position == 0 and found[0].startswith(".")):
            raise ProjectError(f'invalid config key path {path!r}: write it like name.field[0] or name["a.b"]')
        name, quoted, index = found.groups()
        steps.append(int(index) if index is not None else name if name is not None else json.loads(f'"{quoted}"'))
        position = found.end()
    if not steps or not isinstance(steps[0], str):
        raise ProjectError(f"invalid config key path {path!r}: it must begin with a name")
    return steps


def _put(container: Any, steps: list[str | int], entry: Any, where: str) -> None:
    """Set a value inside maps and lists, making those that are missing."""
    step, rest = steps[0], steps[1:]
    found = _slot(container, step, where)
    if rest and found is not None:
        _put(found, rest, entry, where)
        return
    if rest:
        fresh = CommentedSeq() if isinstance(rest[0], int) else CommentedMap()
        _put(fresh, rest, entry, where)
        entry = fresh
    container[step] = entry


def _slot(container: Any, step: str | int, where: str) -> Any:
    """What stands at a step, None when nothing does; a list grows by one for the step after its end."""
    if isinstance(step, int):
        if not isinstance(container, list):
            raise ProjectError(f"{where}: [{step}] leads into a value that is no list; remove that value first")
        if step > len(container):
            raise ProjectError(f"{where}: array index {step} is out of range: the list has {len(container)} elements")
        if step == len(container):
            container.append(None)
        return container[step]
    if not isinstance(container, dict) or "secure" in container:
        raise ProjectError(f"{where}: {step!r} leads into a value that is no map; remove that value first")
    return container.get(step)


def _typed_by_looks(value: str) -> Any:
    """Inside objects the CLI stores true, false and whole numbers as such."""
    if value in ("true", "false"):
        return value == "true"
    if re.fullmatch(r"0|-?[1-9]\d*", value):
        return int(value)
    return _text_for_yaml(value)


def _text_for_yaml(value: str) -> str:
    """A text that YAML would read as something else is quoted as the CLI does, with double quotes."""
    plain = YAML(typ="safe", pure=True).load(value) if value and "\n" not in value and _looks_plain(value) else value
    return value if plain == value and isinstance(plain, str) else DoubleQuotedScalarString(value)


def _looks_plain(value: str) -> bool:
    return re.fullmatch(r"[\w.+\-/:]+", value) is not None and not value.endswith(":")


def _has_secure(value: Any) -> bool:
    if isinstance(value, dict):
        return _is_secure(value) or any(_has_secure(each) for each in value.values())
    return isinstance(value, list) and any(_has_secure(each) for each in value)


def _is_secure(value: dict[str, Any]) -> bool:
    return len(value) == 1 and isinstance(value.get("secure"), str)


def _decrypter(crypter: Crypter | None) -> Callable[[str], str]:
    def decrypt(ciphertext: str) -> str:
        if crypter is None:
            raise ProjectError("the config has secure values: a passphrase is needed, set PULUMI_CONFIG_PASSPHRASE")
        return crypter.decrypt(ciphertext)

    return decrypt


def _decrypted(value: Any, decrypt: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        if _is_secure(value):
            return decrypt(value["secure"])
        return {key: _decrypted(each, decrypt) for key, each in sorted(value.items())}
    return [_decrypted(each, decrypt) for each in value] if isinstance(value, list) else value


def _as_text(value: Any) -> str:
    """A value as the program gets it: texts as they are, the rest as JSON writes it."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 1 << 20  # ciphertexts stay on one line
    yaml.preserve_quotes = True
    return yaml


def _read_yaml(file: Path) -> Any:
    try:
        return _yaml().load(file.read_text(encoding="utf-8"))
    except YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" at line {place.line + 1}, column {place.column + 1}" if place else ""
        # Of what the parser says only the beginning: the rest may quote values.
        problem = str(getattr(error, "problem", None) or "malformed").splitlines()[0].partition(" with value ")[0]
        raise ProjectError(f"{file} is not YAML{where}: {problem}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ProjectError(f"{file} cannot be read: {reason}") from error


def _plain(value: Any) -> Any:
    """Built-in types for the loader's own, which also carry comments and quotes."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, date):
        return value.isoformat()
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)
