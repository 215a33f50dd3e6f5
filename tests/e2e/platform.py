"""A checkout of the project with a stack of its own, driven as a user drives it: by `make`."""

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import docker
import yaml

PROJECT = Path(__file__).resolve().parent.parent.parent
STACK = "e2e"
PREFIX = f"flotilla-{STACK}"
COMMAND_SECONDS = 1800
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
_BUILT = ("images.json", "host.json")
_NOT_COPIED = (".git", ".venv", ".flotilla", ".*_cache", ".hypothesis", "__pycache__", "tests")


@dataclass
class Platform:
    """A folder with the project's files, and the stack `e2e` on ports and addresses of its own, so
    that a stack `dev` of the user is left alone."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    said: list[str] = field(default_factory=list[str])
    """Everything that `make` printed."""

    def __post_init__(self) -> None:
        shutil.copytree(PROJECT, self.folder, ignore=shutil.ignore_patterns(*_NOT_COPIED), dirs_exist_ok=True)
        (self.folder / ".venv").symlink_to(PROJECT / ".venv")
        work = self.folder / ".flotilla"
        work.mkdir(mode=0o700)
        for name in _BUILT:
            shutil.copy2(PROJECT / ".flotilla" / name, work / name)
        self.write()

    def write(self, **services: Any) -> None:
        """The stack file, with services changed as said."""
        for name, changed in services.items():
            self.settings["services"][name].update(changed)
        document = yaml.safe_load(self.stack_file.read_text()) if self.stack_file.exists() else {}
        document["config"] = {
            "pulumi:disable-default-providers": ["*"],
            **{f"flotilla:{section}": value for section, value in self.settings.items()},
        }
        self.stack_file.write_text(yaml.safe_dump(document))

    @property
    def stack_file(self) -> Path:
        return self.folder / f"Pulumi.{STACK}.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """The user's environment without what would lead to another backend, and without the words that a `make` hands
        on to those it starts: `make test ARGS=...` means pytest."""
        return {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "MAKE", "MFLAGS"))}

    def make(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`make WORDS STACK=e2e`; its output is in the error when it fails."""
        done = subprocess.run(
            ["make", *words, f"STACK={STACK}", "ENGINE=hermetic"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        self.said += [done.stdout, done.stderr]
        assert not check or done.returncode == 0, (
            f"make {' '.join(words)}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        )
        return done

    def on(self, node: str, *command: str, given: str | None = None, seconds: float = 60) -> str:
        """Output of a command on a machine, over SSH as `make ssh` goes; `given` is its standard input, and `seconds`
        is how long it may take."""
        done = subprocess.run(
            [".venv/bin/python", "-m", "stacks.shell", "--stack", STACK, node, "--", *command],
            cwd=self.folder,
            env=self.environment | self.backend,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def export(self, *flags: str) -> dict[str, Any]:
        """The stack's deployment, as `stack export` gives it."""
        done = subprocess.run(
            ["bin/hermetic", "stack", "export", "--stack", STACK, *flags],
            cwd=self.folder,
            env=self.environment | self.backend,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    def outputs(self, *flags: str) -> dict[str, Any]:
        """The outputs of the stack; those that are secret with the flag `--show-secrets`."""
        done = subprocess.run(
            ["bin/hermetic", "stack", "output", "--json", *flags, "--stack", STACK],
            cwd=self.folder,
            env=self.environment | self.backend,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    @property
    def backend(self) -> dict[str, str]:
        """The environment that the Makefile sets up."""
        work = self.folder / ".flotilla"
        return {
            "PULUMI_BACKEND_URL": f"file://{work}/state",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(work / "passphrase"),
        }


def settings_of(file: str) -> dict[str, Any]:
    """The settings of a stack file of the project, such as `Pulumi.spark.yaml`."""
    config: dict[str, Any] = yaml.safe_load((PROJECT / file).read_text())["config"]
    return {key.removeprefix("flotilla:"): value for key, value in config.items() if key.startswith("flotilla:")}


@contextlib.contextmanager
def standing(folder: Path, settings: dict[str, Any]) -> Generator[Platform]:
    """A platform that is taken down at the end, whatever happened; one at a time on a computer."""
    with _the_only_one():
        remove_leftovers()
        made = Platform(folder, settings)
        try:
            yield made
        finally:
            made.make("down", check=False)


@contextlib.contextmanager
def _the_only_one() -> Generator[None]:
    """The system forgets the lock with the process that has it: what bears the stack's name then is of a run that was
    killed, and of nobody any more."""
    path = Path(tempfile.gettempdir()) / f"{PREFIX}.lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AssertionError(f"another run of these tests has the stack {STACK} ({path}): wait for it") from None
        yield


def remove_leftovers() -> None:
    """Remove what a killed run left on the user's Docker."""
    containers, networks, volumes = _left()
    for container in containers:
        container.remove(v=True, force=True)
    for one in (*networks, *volumes):
        one.remove()
    assert leftovers() == []


def secrets_in(value: Any) -> Iterator[str]:
    """Every secret text in a deployment that was exported with its secrets shown, and its base64 too.

    Of a secret that is a list or an object as a whole, such as all files of a container, only private keys count: the
    others are secret for the company that they are in.
    """
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            found = json.loads(value["plaintext"])
            texts = [found] if isinstance(found, str) else [text for text in texts_in(found) if "PRIVATE KEY" in text]
            texts = [text.strip() for text in texts if text.strip()]
            yield from texts
            yield from (base64.b64encode(text.encode()).decode() for text in texts)
            return
        for item in value.values():
            yield from secrets_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from secrets_in(item)


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)


def leftovers() -> list[str]:
    """Containers, networks and volumes on the user's Docker that bear the stack's name."""
    return [str(one.name) for kind in _left() for one in kind]


def _left() -> tuple[list[Any], list[Any], list[Any]]:
    """What bears the stack's name: containers, networks, volumes."""
    client = docker.from_env()
    containers, networks, volumes = (
        [one for one in kind if str(one.name).startswith(PREFIX)]
        for kind in (
            # Tests beside this one remove containers of theirs while they are listed.
            client.containers.list(all=True, ignore_removed=True, filters={"name": PREFIX}),
            client.networks.list(),
            client.volumes.list(),
        )
    )
    return containers, networks, volumes


def fetch(url: str) -> tuple[int, str, dict[str, str]]:
    """Status, text and headers of a GET; a connection that is refused or cut off is status 0."""
    try:
        with _answer(url) as answer:
            return answer.status, answer.read().decode(errors="replace"), _lowered(answer.headers.items())
    except (OSError, HTTPException):
        return 0, "", {}


def page(url: str) -> str:
    """Text of a page; empty as long as it is not answered with 200."""
    status, text, _ = fetch(url)
    return text if status == 200 else ""


def _answer(url: str) -> Any:
    """What is not found, or cannot be served now, is an answer too."""
    try:
        return urllib.request.urlopen(url, timeout=10)
    except urllib.error.HTTPError as error:
        return error


def _lowered(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names of headers mean the same in any case, and proxies change it."""
    return {name.lower(): value for name, value in headers}


def answering(url: str, header: str, attempts: int) -> set[str]:
    """Values of a header (in small letters) over several requests: which tasks answer."""
    found = [fetch(url) for _ in range(attempts)]
    return {headers[header] for status, _, headers in found if status == 200 and header in headers}
