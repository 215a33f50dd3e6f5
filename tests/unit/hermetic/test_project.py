"""Project and stack files: what they say, what is refused and how, and that changes leave the rest as it was."""

from pathlib import Path
from typing import Any

import pytest

from hermetic.project import Project, ProjectError, StackConfig, select_stack, selected_stack
from hermetic.secrets import MissingPassphraseError, PassphraseCrypter

PASSPHRASE = {"PULUMI_CONFIG_PASSPHRASE": "unit tests"}

PROJECT = """\
name: unit
runtime: {name: python, options: {virtualenv: .venv}}
"""

TYPED = f"""\
{PROJECT}
config:
  image: {{type: string, default: nginx}}
  replicas: {{type: integer, default: 3}}
  debug: {{type: boolean, default: false}}
  zones: {{type: array, items: {{type: string}}, default: [a, b]}}
  password: {{type: string, secret: true}}
  pulumi:disable-default-providers: {{value: ["*"]}}
"""


def project(folder: Path, text: str = PROJECT) -> Project:
    (folder / "Pulumi.yaml").write_text(text, encoding="utf-8")
    return Project.load(folder)


def stack(folder: Path, text: str = "", project_text: str = PROJECT) -> StackConfig:
    (folder / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    return StackConfig.load(project(folder, project_text), "dev")


def test_the_project_is_found_from_a_folder_below(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    found = Project.load(tmp_path / "deep" / "er")
    assert (found.name, found.folder, found.virtualenv) == ("unit", tmp_path, tmp_path / ".venv")


def test_no_project_file_is_told_in_the_words_of_the_cli(tmp_path: Path) -> None:
    with pytest.raises(
        ProjectError, match=rf"^no Pulumi.yaml project file found \(searching upwards from {tmp_path}\)"
    ):
        Project.load(tmp_path)


def test_plugins_and_backend_are_read_relative_to_the_project(tmp_path: Path) -> None:
    found = project(
        tmp_path, PROJECT + "plugins: {providers: [{name: swarm, path: plugins/swarm}]}\nbackend: {url: file://.}\n"
    )
    assert [(each.name, each.path) for each in found.plugins] == [("swarm", tmp_path / "plugins" / "swarm")]
    assert found.backend_url == "file://."


BAD_PROJECTS = [
    ("name: [", "Pulumi.yaml is not YAML at line 1, column 8"),
    ("- a", "the file is a list: it must be a mapping"),
    ("runtime: python", "name is missing: a text is needed"),
    ("name: a b\nruntime: python", "name is 'a b': a project name may only contain"),
    ("name: unit\nruntime: nodejs", "runtime.name is 'nodejs': the hermetic engine runs python only"),
    ("name: unit\nruntime: {name: python, options: {toolchain: uv}}", "runtime.options.toolchain is 'uv'"),
    (
        "name: unit\nruntime: {name: python, options: {typechecker: mypy}}",
        "runtime.options.typechecker is not supported",
    ),
    (PROJECT + "options: {refresh: always}", "options is not supported"),
    (PROJECT + "plugins: {analyzers: []}", "plugins.analyzers is not supported"),
    (PROJECT + "plugins: {providers: [{name: a}]}", r"plugins.providers\[0\].path is missing"),
    (
        PROJECT + "config: {a: {type: text}}",
        "config.a.type is 'text': one of string, integer, number, boolean, array, object",
    ),
    (PROJECT + "config: {a: {type: array}}", "config.a.items: a key of type array has items"),
    (PROJECT + "config: {a: {type: integer, default: many}}", "config.a.default is 'many': the type is integer"),
    (PROJECT + "config: {a: {type: array, items: {type: integer}, default: [x]}}", "the type is array<integer>"),
    (PROJECT + "config: {a: {value: 1}}", "config.a.value: a key of the project has a default and no value"),
    (
        PROJECT + "config: {'aws:region': {default: 1}}",
        "config.aws:region.default: a key of another namespace has only",
    ),
    (PROJECT + "config: {a: {}}", "config.a.type is missing"),
    (PROJECT + "config: {a: {typ: string}}", "config.a.typ is not supported"),
    (PROJECT + "config: {a: {type: string, secret: maybe}}", "config.a.secret is 'maybe': true or false"),
]


@pytest.mark.parametrize(("text", "message"), BAD_PROJECTS)
def test_a_wrong_project_file_is_refused_by_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProjectError, match=message) as error:
        project(tmp_path, text)
    assert str(tmp_path / "Pulumi.yaml") in str(error.value)
    assert "\n" not in str(error.value)


BAD_STACKS = [
    ("config: [a]", "config is a list: it must be a mapping"),
    ("secretsprovider: awskms://x", "secretsprovider is 'awskms://x': the hermetic engine has only the passphrase"),
    ("environment: [prod]", "environment is set: the hermetic engine has no ESC environments"),
    ("konfig: {}", "konfig is not supported: a stack file has encryptionsalt and config"),
    ("config: {a: {", "Pulumi.dev.yaml is not YAML at line 1"),
    (
        "config: {a: open}\nconfig: {b: hush}",
        'Pulumi.dev.yaml is not YAML at line 2, column 1: found duplicate key "config"$',
    ),
    ("config: a", "config is a text: it must be a mapping"),
    ("a\n", "the file is a text: it must be a mapping"),
]


@pytest.mark.parametrize(("text", "message"), BAD_STACKS)
def test_a_wrong_stack_file_is_refused_by_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProjectError, match=message) as error:
        stack(tmp_path, text)
    assert str(tmp_path / "Pulumi.dev.yaml") in str(error.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_bytes(b"name: \xff")
    with pytest.raises(ProjectError, match=r"Pulumi.yaml cannot be read: it is not UTF-8 text"):
        Project.load(tmp_path)


def test_defaults_of_the_project_reach_the_program(tmp_path: Path) -> None:
    settings = stack(tmp_path, project_text=TYPED)
    crypter = settings.crypter(PASSPHRASE)
    settings.set("password", "hush", secret=True, crypter=crypter)
    settings.set("replicas", "5")
    values, secrets = settings.runtime_values(crypter)
    assert values == {
        "pulumi:disable-default-providers": '["*"]',
        "unit:debug": "false",
        "unit:image": "nginx",
        "unit:password": "hush",
        "unit:replicas": "5",
        "unit:zones": '["a","b"]',
    }
    assert secrets == ["unit:password"]


BAD_VALUES = [
    ("config: {}", "Stack 'dev' is missing configuration value 'password': set it with `config set password VALUE`"),
    (
        "config: {unit:password: open}",
        "key 'password' must be encrypted as it's secret: set it with `config set --secret",
    ),
    (
        "config: {unit:password: {secure: v1:x}, unit:replicas: many}",
        "must be of type 'integer': Pulumi.dev.yaml has 'many'",
    ),
    (
        "config: {unit:password: {secure: v1:x}, unit:zones: a}",
        "must be of type 'array<string>': Pulumi.dev.yaml has 'a'",
    ),
    ("config: {unit:password: {secure: v1:x}, unit:debug: 1}", "must be of type 'boolean': Pulumi.dev.yaml has '1'"),
]


class OpenCrypter(PassphraseCrypter):
    """Takes every ciphertext for the text that it stands for."""

    def __init__(self) -> None:
        super().__init__(salt="", key=bytes(32), passphrase="")

    def decrypt(self, ciphertext: str) -> str:
        return ciphertext


@pytest.mark.parametrize(("text", "message"), BAD_VALUES)
def test_a_wrong_value_is_refused_before_the_program_runs(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        stack(tmp_path, text, TYPED).runtime_values(OpenCrypter())


def test_a_secret_of_the_wrong_type_is_not_shown(tmp_path: Path) -> None:
    settings = stack(
        tmp_path, "config: {unit:n: {secure: hush}}", PROJECT + "config: {n: {type: integer, secret: true}}"
    )
    with pytest.raises(ProjectError, match="has '\\[secret\\]'") as error:
        settings.runtime_values(OpenCrypter())
    assert "hush" not in str(error.value)


def test_a_secret_key_whose_default_is_plain_is_refused_as_the_cli_does(tmp_path: Path) -> None:
    settings = stack(tmp_path, "", PROJECT + "config: {n: {type: string, secret: true, default: open}}")
    with pytest.raises(ProjectError, match="'n' must be encrypted as it's secret"):
        settings.runtime_values()


def test_a_key_of_another_namespace_may_stay_without_value(tmp_path: Path) -> None:
    settings = stack(tmp_path, "", PROJECT + "config: {'aws:region': {description: where}}")
    assert settings.runtime_values() == ({}, [])


def test_values_reach_the_program_as_the_cli_writes_them(tmp_path: Path) -> None:
    text = (
        "config: {unit:a: 5, unit:b: true, unit:c: 1.50, unit:d: 2.0, unit:e: null, unit:f: 2020-01-02, "
        "unit:g: {y: [1], x: ä}}"
    )
    values, _ = stack(tmp_path, text).runtime_values()
    assert list(values.values()) == ["5", "true", "1.5", "2", "", "2020-01-02", '{"x":"ä","y":[1]}']


def test_comments_order_and_quotes_survive_a_change(tmp_path: Path) -> None:
    text = (
        "# yaml-language-server: $schema=settings.json\n"
        "config:\n"
        "  # how many\n"
        "  unit:replicas: '3'  # three is enough\n"
        "  other:key: a\n"
    )
    settings = stack(tmp_path, text)
    settings.set("replicas", "5")
    settings.set("fresh", "7")
    settings.save()
    assert (tmp_path / "Pulumi.dev.yaml").read_text(encoding="utf-8") == (
        "# yaml-language-server: $schema=settings.json\n"
        "config:\n"
        "  # how many\n"
        '  unit:replicas: "5"  # three is enough\n'
        "  other:key: a\n"
        '  unit:fresh: "7"\n'
    )


def test_the_first_secret_brings_the_salt_above_the_config(tmp_path: Path) -> None:
    settings = stack(tmp_path, "# mine\nconfig:\n  unit:a: b\n")
    crypter = settings.crypter(PASSPHRASE)
    lines = (tmp_path / "Pulumi.dev.yaml").read_text(encoding="utf-8").splitlines()
    assert lines == ["# mine", f"encryptionsalt: {crypter.salt}", "config:", "  unit:a: b"]
    assert StackConfig.load(settings.project, "dev").crypter(PASSPHRASE).salt == crypter.salt


def test_secure_values_without_salt_are_not_given_a_new_salt(tmp_path: Path) -> None:
    settings = stack(tmp_path, "config: {unit:a: {secure: v1:x}}")
    with pytest.raises(ProjectError, match="there are secure values and no encryptionsalt"):
        settings.crypter(PASSPHRASE)


def test_without_a_passphrase_nothing_is_written(tmp_path: Path) -> None:
    settings = stack(tmp_path, "config: {}")
    with pytest.raises(MissingPassphraseError, match="PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"):
        settings.crypter({})
    assert (tmp_path / "Pulumi.dev.yaml").read_text(encoding="utf-8") == "config: {}"


def test_a_secure_value_without_crypter_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="a passphrase is needed, set PULUMI_CONFIG_PASSPHRASE"):
        stack(tmp_path, "config: {unit:a: {secure: v1:x}}").runtime_values()


PATHS: list[tuple[list[tuple[str, str]], Any]] = [
    ([("a.b", "1")], {"b": 1}),
    ([("a.b", "true"), ("a.c", "01"), ("a.d", "-3")], {"b": True, "c": "01", "d": -3}),
    ([("a[0]", "x"), ("a[1].y", "z"), ("a[0]", "w")], ["w", {"y": "z"}]),
    ([('a["b.c"].d', "x")], {"b.c": {"d": "x"}}),
    ([("a", "1")], "1"),
    ([("unit:a.b", "x")], {"b": "x"}),
]


@pytest.mark.parametrize(("changes", "expected"), PATHS)
def test_a_path_leads_into_a_value(tmp_path: Path, changes: list[tuple[str, str]], expected: Any) -> None:
    settings = stack(tmp_path)
    for key, value in changes:
        settings.set(key, value, path=True)
    settings.save()
    again = StackConfig.load(settings.project, "dev")
    assert again.values() == {"unit:a": expected}
    assert again.get(changes[-1][0], path=True) == changes[-1][1]


BAD_PATHS = [
    ("a[2]", r"config a\[2\]: array index 2 is out of range: the list has 1 elements"),
    ("a.b", "'b' leads into a value that is no map"),
    ("b[0]", r"\[0\] leads into a value that is no list"),
    ("c.x", "'x' leads into a value that is no map"),
    ("a[", r"invalid config key path 'a\['"),
    (".a", r"invalid config key path '.a'"),
    ("", "invalid config key path ''"),
    ("[0]", r"invalid config key path '\[0\]'"),
]


@pytest.mark.parametrize(("path", "message"), BAD_PATHS)
def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path, path: str, message: str) -> None:
    settings = stack(tmp_path, "config: {unit:a: [x], unit:b: {k: v}, unit:c: {secure: v1:x}}")
    with pytest.raises(ProjectError, match=message):
        settings.set(path, "1", path=True)


def test_without_path_dots_belong_to_the_name(tmp_path: Path) -> None:
    settings = stack(tmp_path)
    settings.set("a.b", "1")
    assert settings.values() == {"unit:a.b": "1"}
    assert settings.get("a.b") == "1"
    assert settings.get("gone") is None


TRICKY = [
    "",
    " ",
    "yes",
    "null",
    "~",
    "1e3",
    "0x10",
    "2020-01-02",
    "a: b",
    "#x",
    "multi\nline",
    "'",
    '"',
    "{}",
    "- a",
    "ä🐳",
    "a ",
]


@pytest.mark.parametrize("value", TRICKY)
def test_a_text_comes_back_as_it_was_set(tmp_path: Path, value: str) -> None:
    settings = stack(tmp_path)
    settings.set("a", value)
    settings.save()
    assert StackConfig.load(settings.project, "dev").runtime_values()[0] == {"unit:a": value}


def test_a_key_that_stands_without_namespace_is_changed_where_it_is(tmp_path: Path) -> None:
    settings = stack(tmp_path, "config: {a: old}")
    settings.set("a", "new")
    assert settings.values() == {"unit:a": "new"}


def test_the_selected_stack_is_remembered_for_the_project_and_the_variable_goes_before_it(tmp_path: Path) -> None:
    chosen, environment = project(tmp_path), {"PULUMI_HOME": str(tmp_path / "home")}
    assert selected_stack(chosen, environment) is None
    select_stack(chosen, "dev", environment)
    assert selected_stack(chosen, environment) == "dev"
    assert selected_stack(chosen, environment | {"PULUMI_STACK": "prod"}) == "prod"
    select_stack(chosen, None, environment)
    assert selected_stack(chosen, environment) is None
