"""Whole runs of the engine in small: what it refuses, how it stops, what it keeps to itself."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.waiting import wait_for

ROOT = Path(__file__).parents[3]
SUITE = ROOT / "tests/conformance/suite"
DEADLINE = 60.0

pytestmark = pytest.mark.slow

THING = "from probe_sdk import Thing\n"
NOTHING = "import pulumi\n"


@dataclass
class Stack:
    """A stack `test` of a project with the suite's recording plugin."""

    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ}
        return (
            kept
            | {
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
                "PYTHONPATH": str(SUITE / "sdk"),
                "PULUMI_HOME": str(self.folder / "home"),
                "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
                "PULUMI_CONFIG_PASSPHRASE": "open sesame",
                "PULUMI_STACK": "test",
                "PROBE_LOG": str(self.folder / "log"),
                "PROBE_WORLD": str(self.folder / "world"),
                "STEP": "",
            }
            | more
        )

    def run(self, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(ROOT / "bin/hermetic"), *argv],
            cwd=self.folder / "work",
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def start(self, *argv: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(ROOT / "bin/hermetic"), *argv],
            cwd=self.folder / "work",
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def up(self, program: str, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.write(program)
        return self.run("up", "--yes", "--skip-preview", *flags, **environment)

    def write(self, program: str) -> None:
        (self.folder / "work/__main__.py").write_text(program, encoding="utf-8")

    def plugin(self, name: str, script: str) -> None:
        """Another plugin, as a shell script."""
        folder = self.folder / "plugins"
        folder.mkdir(exist_ok=True)
        executable = folder / f"pulumi-resource-{name}"
        executable.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        executable.chmod(0o755)
        with (self.folder / "work/Pulumi.yaml").open("a", encoding="utf-8") as file:
            file.write(f"    - {{name: {name}, path: ../plugins}}\n")

    def calls(self) -> list[str]:
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        # The last one may be half written.
        return [json.loads(line)["method"] for line in lines if line.endswith("}")]

    def state(self) -> dict[str, object]:
        return json.loads(self.run("stack", "export").stdout)["deployment"]

    def ids(self) -> list[str]:
        resources = self.state().get("resources") or []
        assert isinstance(resources, list)
        return [each["id"] for each in resources if each["type"].startswith("probe:")]


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    for name in ("work", "state"):
        (tmp_path / name).mkdir()
    (tmp_path / "work/Pulumi.yaml").write_text(
        f"name: small\nruntime: {{name: python}}\nplugins:\n  providers:\n    - {{name: probe, path: {SUITE}/probe}}\n",
        encoding="utf-8",
    )
    made = Stack(tmp_path)
    made.write("")
    result = made.run("stack", "init", "test")
    assert result.returncode == 0, result.stderr
    return made


def errors_of(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of errors in the diagnostics."""
    assert result.returncode == 255, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    text = result.stdout.partition("Diagnostics:")[2] + result.stderr
    return [line.strip() for line in text.splitlines() if "error: " in line]


CUSTOM = """
import pulumi
class R(pulumi.CustomResource):
    def __init__(self, name, token, opts=None):
        super().__init__(token, name, {}, opts)
"""


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (NOTHING + 'pulumi.ComponentResource("probe:index:C", "c", {}, remote=True)', "components of another language"),
        (
            THING
            + 'import pulumi\nhook = pulumi.ErrorHook("e", lambda args: False)\n'
            + 'Thing("a", opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(on_error=[hook])))',
            "does not support error hooks",
        ),
        (
            NOTHING + "pulumi.runtime.register_invoke_transform(lambda args: None)",
            "does not support invoke transforms",
        ),
        (CUSTOM + 'R("r", "nowhere:index:R")', "no resource plugin 'pulumi-resource-nowhere' found"),
        (CUSTOM + 'R("a", "probe:index:T", pulumi.ResourceOptions(custom_timeouts={"create": "soon"}))',
         "unable to parse customTimeout value 'soon'"),
        (THING + 'Thing("a")\nThing("a")', "Duplicate resource URN"),
    ],
)  # fmt: skip
def test_what_the_engine_does_not_have_is_refused_and_nothing_is_made(stack: Stack, program: str, words: str) -> None:
    result = stack.up(program)
    assert result.returncode == 255
    assert words in result.stdout + result.stderr
    assert "Create" not in stack.calls() or "Duplicate" in words


def test_a_refusal_of_a_registration_is_one_line(stack: Stack) -> None:
    lines = errors_of(stack.up(CUSTOM + 'R("r", "nowhere:index:R")'))
    assert len(lines) == 1
    assert "name its folder in Pulumi.yaml under plugins.providers" in lines[0]


def test_a_plugin_that_ends_at_once_is_told_with_its_last_words(stack: Stack) -> None:
    stack.plugin("broken", "echo no licence >&2; exit 3")
    result = stack.up(CUSTOM + 'R("r", "broken:index:R")')
    assert result.returncode == 255
    assert "plugin broken does not start: it ended (exit code 3); its last lines:" in result.stdout
    assert "no licence" in result.stdout


def test_a_plugin_that_prints_no_port_is_told(stack: Stack) -> None:
    stack.plugin("chatty", "echo hello; exec sleep 60")
    result = stack.up(CUSTOM + 'R("r", "chatty:index:R")')
    assert "plugin chatty does not start: its first line is 'hello' and not a port" in result.stdout


def test_a_plugin_that_dies_in_the_middle_is_told_and_the_operation_stays_in_the_state(stack: Stack) -> None:
    stack.write(THING + 'Thing("a", value="a")\n')
    running = stack.start("up", "--yes", "--skip-preview", PROBE_FAIL="slow:a")
    wait_for("create", lambda: "Create" in stack.calls())
    subprocess.run(["pkill", "-KILL", "-P", str(running.pid), "-f", "plugin.py"], check=True, timeout=DEADLINE)
    said, _ = running.communicate(timeout=DEADLINE)
    assert running.returncode == 255
    assert "plugin probe died (signal 9)" in said
    assert stack.up(THING + 'Thing("a", value="a")\n').returncode == 0
    assert stack.ids() == ["a-1"]


def test_the_passphrase_is_in_neither_the_program_nor_the_plugins(stack: Stack) -> None:
    stack.plugin("spy", 'echo "plugin: $PULUMI_CONFIG_PASSPHRASE." >&2; exit 1')
    program = CUSTOM + "import os\nprint('program:', os.environ.get('PULUMI_CONFIG_PASSPHRASE'))\nR('r', 'spy:index:R')"
    said = stack.up(program).stdout
    assert "program: None" in said
    assert "plugin: ." in said
    assert "open sesame" not in said


def test_secrets_are_shown_nowhere(stack: Stack) -> None:
    program = (
        THING
        + 'import pulumi\na = Thing("a", secret_in=pulumi.Output.secret("hush"))\npulumi.export("e", a.secret_in)\n'
    )
    stack.write(program)
    said = ""
    for command in (
        ["preview"],
        ["preview", "--json"],
        ["preview", "--diff"],
        ["up", "--yes", "--diff"],
        ["stack", "output"],
    ):
        result = stack.run(*command)
        assert result.returncode == 0, result.stdout + result.stderr
        said += result.stdout + result.stderr
    stack.write(program.replace("hush", "hush hush"))
    for command in (["preview", "--diff"], ["up", "--yes", "--skip-preview"]):
        said += stack.run(*command).stdout
    assert "[secret]" in said
    assert "hush" not in said
    assert "hush" not in (stack.folder / "state/.pulumi/stacks/small/test.json").read_text(encoding="utf-8")


def test_a_preview_changes_nothing(stack: Stack) -> None:
    checkpoint = stack.folder / "state/.pulumi/stacks/small/test.json"
    stack.up(THING + 'Thing("a", value="1")\n')
    before = checkpoint.read_bytes()
    stack.write(THING + 'Thing("a", value="2")\nThing("b", value="1")\n')
    result = stack.run("preview")
    assert result.returncode == 0
    assert "+ 1 to create" in result.stdout
    assert "~ 1 to update" in result.stdout
    assert checkpoint.read_bytes() == before


def test_expected_no_changes_are_an_error_when_there_are_some(stack: Stack) -> None:
    program = THING + 'Thing("a", value="1")\n'
    assert stack.up(program, "--expect-no-changes").returncode == 255
    assert stack.up(program, "--expect-no-changes").returncode == 0


def test_a_program_that_leaves_early_fails_the_update_and_deletes_nothing(stack: Stack) -> None:
    stack.up(THING + 'Thing("a", value="1")\n')
    result = stack.up("import sys\nsys.exit(3)\n")
    assert result.returncode == 255
    assert "exit code 3" in result.stdout
    assert stack.ids() == ["a-1"]


def test_a_program_that_leaves_early_on_purpose_has_said_all_it_wants(stack: Stack) -> None:
    stack.up(THING + 'Thing("a", value="1")\nThing("b", value="1")\n')
    result = stack.up(THING + 'import sys\nThing("a", value="1")\nsys.exit(0)\n')
    assert result.returncode == 0, result.stdout
    assert stack.ids() == ["a-1"]


def test_an_error_of_the_program_is_told_by_its_own_traceback_alone(stack: Stack) -> None:
    result = stack.up("def broken():\n    raise ValueError('no such region')\n\nbroken()\n")
    assert "ValueError: no such region" in result.stdout
    assert "__main__.py" in result.stdout
    assert "runpy" not in result.stdout
    assert "hermetic" not in result.stdout.partition("Diagnostics:")[2]


def test_the_lines_of_the_program_are_shown(stack: Stack) -> None:
    assert "made by the program" in stack.up("print('made by the program')\n").stdout


def test_the_first_interrupt_ends_in_order_and_the_next_update_goes_on(stack: Stack) -> None:
    program = THING + 'a = Thing("a", value="a")\nThing("b", value=a.computed)\n'
    stack.write(program)
    running = stack.start("up", "--yes", "--skip-preview", PROBE_FAIL="slow:b")
    wait_for("second create", lambda: stack.calls().count("Create") == 2)
    running.send_signal(signal.SIGINT)
    wait_for("cancellation of the plugin", lambda: "Cancel" in stack.calls())
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=DEADLINE)
    assert running.returncode == 130
    assert "waiting for running steps to end" in said
    assert "locked" in stack.up(program).stderr
    assert stack.run("cancel").returncode == 0
    pending = stack.state().get("pending_operations")
    assert isinstance(pending, list)
    assert [each["type"] for each in pending] == ["creating"]
    assert stack.up(program).returncode == 0
    assert stack.ids() == ["a-1", "b-1"]


def test_an_interrupt_between_steps_saves_what_was_done(stack: Stack) -> None:
    program = (
        THING
        + """
import asyncio, os, pulumi
Thing("a", value="a").id.apply(lambda _: open(os.environ["PROBE_LOG"] + ".made", "w"))
async def wait():
    await asyncio.sleep(60)
pulumi.run(wait)
"""
    )
    stack.write(program)
    running = stack.start("up", "--yes", "--skip-preview")
    wait_for("create", (stack.folder / "log.made").exists)
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=DEADLINE)
    assert running.returncode == 255
    assert "the operation was cancelled; the state is saved" in said
    assert stack.ids() == ["a-1"]
    assert stack.up(THING + 'Thing("a", value="a")\n').returncode == 0


def test_a_protected_resource_survives_a_destroy_that_takes_the_others(stack: Stack) -> None:
    stack.up(THING + 'import pulumi\nThing("a", opts=pulumi.ResourceOptions(protect=True))\nThing("b")\n')
    result = stack.run("destroy", "--yes", "--skip-preview")
    assert result.returncode == 255
    assert "cannot be deleted because it is protected" in result.stdout
    assert stack.ids() == ["a-1"]


def test_outputs_that_a_failed_update_does_not_name_stay(stack: Stack) -> None:
    first = THING + "import pulumi\nThing('a', value=1)\npulumi.export('old', 1)\npulumi.export('both', 1)\n"
    assert stack.up(first).returncode == 0
    second = "import pulumi\npulumi.export('both', 2)\npulumi.export('new', 2)\n"
    assert stack.up(second, PROBE_FAIL="delete:a").returncode == 255
    assert json.loads(stack.run("stack", "output", "--json").stdout) == {"old": 1, "both": 2, "new": 2}
    assert stack.up(second).returncode == 0
    assert json.loads(stack.run("stack", "output", "--json").stdout) == {"both": 2, "new": 2}


def test_an_unhealthy_object_is_taken_over_and_updated_at_once(stack: Stack) -> None:
    assert stack.up(THING + "Thing('a', value=1)\n").returncode == 0
    program = THING + "import pulumi\nThing('a', value=1)\n"
    program += "Thing('b', value=1, label='a-auto', opts=pulumi.ResourceOptions(import_='a-1'))\n"
    before = len(stack.calls())
    assert stack.up(program, PROBE_FAIL="read_partial:b").returncode == 0
    # Calls for `a` may come anywhere among them.
    assert [each for each in stack.calls()[before:] if each in {"Read", "Update", "Create"}] == ["Read", "Update"]


def test_an_unhealthy_object_that_is_only_read_fails_the_run_and_stays_in_the_state(stack: Stack) -> None:
    assert stack.up(THING + "Thing('a', value=1)\n").returncode == 0
    program = THING + "Thing('a', value=1)\nThing.get('b', 'a-1')\n"
    assert errors_of(stack.up(program, PROBE_FAIL="read_partial:b"))
    resources = stack.state()["resources"]
    assert isinstance(resources, list)
    assert [each["initErrors"] for each in resources if "initErrors" in each] == [["scripted partial read of b"]]


def test_a_refresh_asks_nothing_of_what_others_made_but_how_it_is(stack: Stack) -> None:
    assert stack.up(THING + "Thing('a', value=1)\n").returncode == 0
    assert stack.up(THING + "Thing.get('b', 'a-1')\n", "--target", "**::b").returncode == 0
    before = len(stack.calls())
    assert stack.run("refresh", "--yes", "--skip-preview", "--target", "**::b").returncode == 0
    assert [each for each in stack.calls()[before:] if each in {"Read", "Diff"}] == ["Read"]


def test_a_refresh_keeps_what_was_deleted_and_not_made_again(stack: Stack) -> None:
    assert stack.up(THING + "Thing('a', dbr_key=1)\n").returncode == 0
    assert stack.up(THING + "Thing('a', dbr_key=2)\n", PROBE_FAIL="create:a").returncode == 255
    assert stack.run("refresh", "--yes", "--skip-preview").returncode == 0
    assert stack.ids() == ["a-1"]


def test_what_goes_with_its_container_needs_no_provider_that_answers(stack: Stack) -> None:
    program = (
        THING
        + """
import pulumi
from probe_sdk import ProbeProvider
cluster = Thing("cluster")
inside = ProbeProvider("inside", region="r")
Thing("service", opts=pulumi.ResourceOptions(provider=inside, deleted_with=cluster))
"""
    )
    assert stack.up(program).returncode == 0
    result = stack.run("destroy", "--yes", "--skip-preview", PROBE_FAIL="configure:inside")
    assert result.returncode == 0, result.stdout
    assert stack.ids() == []


def test_a_destroy_can_remove_the_stack_too(stack: Stack) -> None:
    stack.up(THING + 'Thing("a")\n')
    assert stack.run("destroy", "--yes", "--skip-preview", "--remove").returncode == 0
    assert "no stack named 'test' found" in stack.run("preview").stderr


def test_an_exported_state_is_taken_back(stack: Stack) -> None:
    stack.up(THING + 'import pulumi\nThing("a", secret_in=pulumi.Output.secret("hush"))\n')
    file = stack.folder / "export.json"
    assert stack.run("stack", "export", "--file", str(file)).returncode == 0
    assert "hush" not in file.read_text(encoding="utf-8")
    assert stack.run("stack", "import", "--file", str(file)).returncode == 0
    result = stack.up(
        THING + 'import pulumi\nThing("a", secret_in=pulumi.Output.secret("hush"))\n', "--expect-no-changes"
    )
    assert result.returncode == 0, result.stdout
