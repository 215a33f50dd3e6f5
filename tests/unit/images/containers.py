"""Real containers of the built images, for the tests that are marked e2e."""

import io
import secrets
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker

from images import build, engine
from images.progress import Progress
from images.recipe import recipes
from tests.waiting import wait_for


@dataclass(frozen=True, kw_only=True)
class Started:
    """A container of a test, and how to reach and ask it."""

    client: docker.APIClient
    identity: str

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and output of a command inside."""
        command = self.client.exec_create(self.identity, list(words))["Id"]
        output: bytes = self.client.exec_start(command)
        return self.client.exec_inspect(command)["ExitCode"], output.decode(errors="replace")

    def processes(self) -> str:
        """Arguments and environments of all that runs inside, asked as each of its users: root sees but his own.

        The environment of a program that changed its own user, as a database does, nobody sees: it is the container's.
        """
        script = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' '"
        owners = set(self.run("sh", "-c", "stat --format %u /proc/[0-9]* 2>/dev/null")[1].split())
        commands = (self.client.exec_create(self.identity, ["sh", "-c", script], user=owner) for owner in owners)
        return "".join(self.client.exec_start(one["Id"]).decode(errors="replace") for one in commands)

    def port(self, internal: int) -> int:
        """The port on 127.0.0.1."""
        return int(self.client.port(self.identity, internal)[0]["HostPort"])

    def stop(self) -> int:
        """The exit code after it was told to end; 137 when it did not heed that and was killed.

        It has more time than a service gives it: on a busy computer that is no proof of anything.
        """
        self.client.stop(self.identity, timeout=30)
        return self.client.inspect_container(self.identity)["State"]["ExitCode"]

    def logs(self) -> str:
        """Everything that it said."""
        return self.client.logs(self.identity).decode(errors="replace")

    def says(self, text: str, seconds: float = 180) -> None:
        """Wait until `text` is in its log, which the engine writes a little after the program."""
        wait_for(lambda: f"{text!r} in the log:\n{self.logs()}", lambda: text in self.logs(), seconds)


@dataclass(frozen=True, kw_only=True)
class Yard:
    """Where a test starts containers: a network of its own, and names that are nobody else's."""

    client: docker.APIClient
    prefix: str
    images: Mapping[str, Any]

    def start(
        self,
        image: str,
        *,
        alias: str = "",
        files: Mapping[str, tuple[str, int]] | None = None,
        environment: Mapping[str, str] | None = None,
        ports: tuple[int, ...] = (),
        command: list[str] | None = None,
        host: Mapping[str, Any] | None = None,
    ) -> Started:
        """A container with `files` (path to content and mode) put in before the start."""
        configuration = self.client.create_host_config(port_bindings=dict.fromkeys(ports, ("127.0.0.1", None)))
        configuration.update(host or {})
        # By hand, because the type that the SDK declares for its own function is wrong.
        networks: Any = {"EndpointsConfig": {self.prefix: {"Aliases": [alias] if alias else []}}}
        identity: str = self.client.create_container(
            image,
            command,
            name=f"{self.prefix}-{alias or secrets.token_hex(3)}",
            hostname=alias or None,
            environment=dict(environment or {}),
            ports=list(ports),
            host_config=configuration,
            networking_config=networks,
            labels={"flotilla.test": self.prefix},
        )["Id"]
        if files:
            self.client.put_archive(identity, "/", _archive(files))
        self.client.start(identity)
        return Started(client=self.client, identity=identity)


def built_image(name: str) -> str:
    """The reference of an image, which is built first where it is missing."""
    build.Builder(client=engine.connect(), progress=Progress()).build([name])
    return recipes()[name].reference


def _archive(files: Mapping[str, tuple[str, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size = len(content.encode())
            entry.mode = mode
            archive.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()
