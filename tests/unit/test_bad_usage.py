"""Wrong ways to call the engine and `make`, one line of the table each: exit code, and the one line that is said."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project_copy import HERMETIC, KEY, Place, copy_project

pytestmark = pytest.mark.slow

PREVIEW = (HERMETIC, "preview", "--stack", "dev")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return copy_project(tmp_path)


def without(*names: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        for name in names:
            del place.environment[name]

    return change


def with_variable(name: str, value: str) -> Callable[[Place], None]:
    return lambda place: place.environment.update({name: value.format(folder=place.folder)})


def checkpoint_is(text: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        place.checkpoint.write_text(text)

    return change


def stack_file_has(line: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        path = place.folder / "Pulumi.dev.yaml"
        path.write_text(path.read_text() + line + "\n")

    return change


def with_files(place: Place) -> None:
    """What `make images` and `make identity` write."""
    work = place.folder / ".flotilla"
    work.mkdir()
    (work / "host.json").write_text('{"capabilities": [], "architecture": "amd64"}')
    (work / "id_ed25519.pub").write_text(KEY)


def nothing(_: Place) -> None:
    """The place as it is."""


CASES: list[tuple[str, Callable[[Place], None], tuple[str, ...], str]] = [
    (
        "no backend",
        without("PULUMI_BACKEND_URL"),
        PREVIEW,
        "error: no backend: set PULUMI_BACKEND_URL to a folder for the state, such as file://~ or file://.",
    ),
    (
        "a backend that is no folder",
        with_variable("PULUMI_BACKEND_URL", "file://{folder}/none"),
        PREVIEW,
        "error: PULUMI_BACKEND_URL is file://{folder}/none: {folder}/none is no folder: "
        "make it (`mkdir -m 700 {folder}/none`)",
    ),
    (
        "a backend elsewhere",
        with_variable("PULUMI_BACKEND_URL", "s3://bucket"),
        (HERMETIC, "stack", "ls"),
        "error: PULUMI_BACKEND_URL is 's3://bucket': the hermetic engine keeps state in files only: use file://PATH",
    ),
    (
        "no passphrase",
        without("PULUMI_CONFIG_PASSPHRASE"),
        PREVIEW,
        "error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment "
        "variables",
    ),
    (
        "a new stack without a passphrase",
        without("PULUMI_CONFIG_PASSPHRASE"),
        (HERMETIC, "stack", "init", "prod"),
        "error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment "
        "variables",
    ),
    (
        "a wrong passphrase",
        with_variable("PULUMI_CONFIG_PASSPHRASE", "wrong"),
        PREVIEW,
        "error: stack 'dev': incorrect passphrase: set PULUMI_CONFIG_PASSPHRASE to the passphrase that this stack was "
        "made with, or PULUMI_CONFIG_PASSPHRASE_FILE to a file that holds it",
    ),
    (
        "a stack that is not there",
        nothing,
        (HERMETIC, "preview", "--stack", "prod"),
        "error: no stack named 'prod' found; make it with `stack init prod`",
    ),
    (
        "a stack that is there already",
        nothing,
        (HERMETIC, "stack", "init", "dev"),
        "error: stack 'organization/flotilla/dev' already exists",
    ),
    (
        "an unknown command",
        nothing,
        (HERMETIC, "frobnicate"),
        'error: unknown command "frobnicate": the hermetic engine has cancel, config, destroy, preview, refresh, '
        "stack, up, version; for others use the Pulumi CLI",
    ),
    (
        "an unknown flag",
        nothing,
        (HERMETIC, "up", "--frobnicate", "--stack", "dev"),
        "error: unknown flag: --frobnicate: `up` of the hermetic engine does not support it; use the Pulumi CLI for it",
    ),
    (
        "up without a yes and a terminal",
        nothing,
        (HERMETIC, "up", "--stack", "dev"),
        "error: --yes must be passed in to proceed when running in non-interactive mode",
    ),
    (
        "a state cut off",
        checkpoint_is("{"),
        PREVIEW,
        "error: the checkpoint {folder}/state/.pulumi/stacks/flotilla/dev.json cannot be used: it is not JSON at line "
        "1, column 2 (character 1): Expecting property name enclosed in double quotes; nothing was changed. There is "
        "no copy dev.json.bak: restore it from the backups folder beside `stacks`",
    ),
    (
        "images not built",
        with_files,
        PREVIEW,
        "error: .flotilla/images.json is missing: no images were built yet; run `make images`",
    ),
    (
        "an unknown setting",
        stack_file_has("  flotilla:colour: blue"),
        PREVIEW,
        "error: colour is not a setting; see the schema stacks/settings.schema.json for those that there are",
    ),
    (
        "a data path on the port of the swarm's gossip",
        stack_file_has("  flotilla:swarm: {data_path_port: 7946}"),
        (".venv/bin/python", "-m", "stacks.preflight", "--stack", "dev"),
        "error: swarm.data_path_port is 7946: the port of swarm's gossip; use 4789",
    ),
    (
        "a stack file that is no YAML",
        stack_file_has("  {"),
        (".venv/bin/python", "-m", "stacks.preflight", "--stack", "dev"),
        "error: Pulumi.dev.yaml is no YAML",
    ),
    (
        "a stack without a file",
        nothing,
        (".venv/bin/python", "-m", "stacks.preflight", "--stack", "prod"),
        "error: STACK is 'prod': there is no Pulumi.prod.yaml; use one of dev, or write that file",
    ),
    (
        "no Docker",
        stack_file_has("  flotilla:local: {docker_host: 'unix:///nowhere.sock'}"),
        (".venv/bin/python", "-m", "stacks.preflight", "--stack", "dev"),
        "error: local.docker_host is 'unix:///nowhere.sock': no Docker answers there; start it, or name the one to use",
    ),
    (
        "a status of a stack that is not up",
        nothing,
        (".venv/bin/python", "-m", "stacks.status", "--stack", "dev"),
        "error: the stack has no machines; run `make up` first",
    ),
    (
        "a shell on a stack that is not up",
        nothing,
        (".venv/bin/python", "-m", "stacks.shell", "--stack", "dev", "manager-1"),
        "error: the stack has no machines; run `make up` first",
    ),
]


@pytest.mark.parametrize(("change", "words", "line"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_bad_usage_is_refused_in_one_line_and_changes_nothing(
    place: Place, change: Callable[[Place], None], words: tuple[str, ...], line: str
) -> None:
    change(place)
    before = place.checkpoint.read_bytes()
    done = place.run(*words)
    said = done.stdout + done.stderr
    wanted = line.format(folder=place.folder) if "{folder}" in line else line
    assert done.returncode != 0
    assert [text for text in said.splitlines() if text.strip().startswith(wanted)], said
    assert sum("error:" in text for text in said.splitlines()) == 1, said
    assert "Traceback" not in said
    assert place.checkpoint.read_bytes() == before


def test_a_stack_whose_passphrase_is_missing_is_not_made(place: Place) -> None:
    del place.environment["PULUMI_CONFIG_PASSPHRASE"]
    place.run(HERMETIC, "stack", "init", "prod")
    assert not place.checkpoint.with_name("prod.json").exists()
