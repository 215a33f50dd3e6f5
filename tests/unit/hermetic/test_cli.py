"""The command line: what it understands, and what it refuses with one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from hermetic.arguments import UsageError, parse
from hermetic.cli import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with a backend of its own, in the working directory."""
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: small\nruntime: {name: python}\n", encoding="utf-8")
    (tmp_path / "__main__.py").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a passphrase")
    monkeypatch.delenv("PULUMI_STACK", raising=False)
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line that a refused command writes."""
    assert main(argv) == 255
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


def test_flags_stand_before_and_after_the_command() -> None:
    found = parse(["--stack", "dev", "up", "--yes", "-p", "4", "--target=a,b", "--target", "c", "-C/tmp"])
    assert found.command == ("up",)
    assert found.has("--yes")
    assert found.number("--parallel", 16) == 4
    assert found.texts("--target") == ["a", "b", "c"]
    assert found.text("--stack") == "dev"
    assert found.text("--cwd") == "/tmp"


def test_a_value_of_config_may_begin_with_a_dash() -> None:
    assert parse(["config", "set", "key", "-5"]).words == ["key", "-5"]
    assert parse(["config", "set", "--secret", "key", "--", "--value"]).words == ["key", "--value"]


def test_other_names_of_commands_are_known() -> None:
    assert parse(["update", "--yes"]).command == ("up",)
    assert parse(["down", "--yes"]).command == ("destroy",)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["frobnicate"], 'unknown command "frobnicate"'),
        (["import", "a", "b", "c"], 'unknown command "import"'),
        (["stack", "tag"], 'unknown command "stack tag"'),
        (["config", "refresh"], 'unknown command "config refresh"'),
        (["up", "--logtostderr"], "unknown flag: --logtostderr"),
        (["up", "--replace", "urn"], "unknown flag: --replace"),
        (["up", "--plan", "file"], "unknown flag: --plan"),
        (["up", "--policy-pack", "p"], "unknown flag: --policy-pack"),
        (["preview", "--save-plan", "file"], "unknown flag: --save-plan"),
        (["destroy", "--exclude-protected"], "unknown flag: --exclude-protected"),
        (["up", "--stack"], "flag needs an argument: --stack"),
        (["up", "--yes=perhaps"], 'invalid argument "perhaps" for "--yes" flag'),
        (["stack", "init", "a", "b"], "`stack init` takes 0 to 1 arguments, got 2"),
    ],
)
def test_what_is_not_understood_is_refused_with_one_line(
    capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    assert words in refusal(capsys, *argv)


def test_a_parallelism_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match='"many" for "--parallel"'):
        parse(["up", "--parallel", "many"]).number("--parallel", 16)
    with pytest.raises(UsageError, match="at least 1"):
        parse(["up", "--parallel", "0"]).number("--parallel", 16)


def test_a_folder_without_a_project_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no Pulumi.yaml project file found" in refusal(capsys, "preview")


def test_a_command_without_a_stack_says_how_to_choose_one(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    assert "no stack selected" in refusal(capsys, "preview")


def test_a_stack_that_was_not_made_is_named(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    assert "no stack named 'prod' found" in refusal(capsys, "up", "--yes", "--stack", "prod")


def test_an_update_that_nobody_can_confirm_is_refused(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    main(["stack", "init", "dev"])
    capsys.readouterr()
    words = "--yes must be passed in to proceed when running in non-interactive mode"
    assert refusal(capsys, "up", "--non-interactive") == words


def test_a_wrong_passphrase_is_said(
    capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["stack", "init", "dev"])
    capsys.readouterr()
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")
    assert "incorrect passphrase" in refusal(capsys, "up", "--yes")


def test_a_held_lock_is_told_with_its_holder(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    from hermetic.backend import FileBackend, StackName

    main(["stack", "init", "dev"])
    capsys.readouterr()
    backend = FileBackend(f"file://{project}/state")
    with backend.lock(StackName("small", "dev")):
        assert main(["up", "--yes"]) == 255
    assert "currently locked by 1 lock(s)" in capsys.readouterr().err


def test_a_damaged_state_is_named_with_its_copy(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    main(["stack", "init", "dev"])
    capsys.readouterr()
    (project / "state/.pulumi/stacks/small/dev.json").write_text('{"version": 3, "checkp', encoding="utf-8")
    assert main(["up", "--yes", "--skip-preview"]) == 255
    said = capsys.readouterr().err
    assert "dev.json" in said
    assert "Traceback" not in said


def test_config_is_set_listed_and_read(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    main(["stack", "init", "dev"])
    assert main(["config", "set", "plain", "value"]) == 0
    assert main(["config", "set", "--secret", "hidden", "hush"]) == 0
    capsys.readouterr()
    assert main(["config"]) == 0
    listed = capsys.readouterr().out
    assert "value" in listed
    assert "[secret]" in listed
    assert "hush" not in listed
    assert "hush" not in (project / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    assert main(["config", "get", "hidden"]) == 0
    assert capsys.readouterr().out == "hush\n"
    assert "not found" in refusal(capsys, "config", "get", "missing")


def test_stacks_are_made_listed_selected_and_removed(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    assert main(["stack", "init", "one"]) == 0
    assert main(["stack", "init", "two"]) == 0
    assert main(["stack", "select", "one"]) == 0
    capsys.readouterr()
    assert main(["stack", "ls"]) == 0
    assert "one*" in capsys.readouterr().out
    assert "already exists" in refusal(capsys, "stack", "init", "one")
    assert main(["stack", "rm", "one", "--yes"]) == 0
    capsys.readouterr()
    assert main(["stack", "ls", "--json"]) == 0
    assert '"one"' not in capsys.readouterr().out


def test_the_launcher_works_from_any_directory(project: Path) -> None:
    result = subprocess.run(
        [str(ROOT / "bin/hermetic"), "--cwd", str(project), "stack", "init", "dev"],
        cwd="/", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.stderr == ""
    assert result.stdout == "Created stack 'dev'\n"


def test_looking_at_stacks_does_not_import_the_sdk() -> None:
    command = "import sys; from hermetic import commands, cli; print('pulumi' in sys.modules, 'grpc' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.split() == ["False", "False"]
