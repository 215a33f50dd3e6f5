"""Ways to a Docker daemon and its machine: a tunnel to the daemon's socket by the system's `ssh`, and single commands.

The system's `ssh` is used (not a library) so that users' agents, hardware keys and `~/.ssh/config` work as they
know them.
"""

import os
import select
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import docker

DOCKER_SOCKET = "/var/run/docker.sock"
CONNECT_TIMEOUT = 10
REQUEST_TIMEOUT = 60
# A Unix socket's path ends at 107 bytes; ssh needs some more for the name of its own file in there.
LONGEST_DIRECTORY = 80
# Said by the far side once the forwarding is in place; a login banner cannot be mistaken for it.
READY = "docker-tunnel-is-open"
ALWAYS = (
    "-o",
    "BatchMode=yes",
    "-o",
    f"ConnectTimeout={CONNECT_TIMEOUT}",
    "-o",
    "ServerAliveInterval=10",
    "-o",
    "ServerAliveCountMax=3",
    # A master connection of the user's own would outlive us, or take our forwarding with it.
    "-o",
    "ControlMaster=no",
    "-o",
    "ControlPath=none",
)


class SshError(Exception):
    """The machine or its Docker daemon cannot be reached; the message is ssh's own."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a remote command answered."""

    status: int
    stdout: str
    stderr: str


class DockerTunnel:
    """An open way to a Docker daemon: `client` until `close`. It owns the ssh process and its private socket."""

    def __init__(self, host: str, client: "docker.APIClient", tunnel: "_Tunnel | None" = None) -> None:
        self.host = host
        self.client = client
        self._tunnel = tunnel

    @property
    def alive(self) -> bool:
        """Whether the ssh process behind it still runs (always so without ssh)."""
        return self._tunnel is None or self._tunnel.alive

    def close(self) -> None:
        """End the ssh process and remove the socket; a second call does nothing."""
        self.client.close()
        if self._tunnel is not None:
            self._tunnel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def connect_docker(host: str, ssh_options: Sequence[str] = (), timeout: float = REQUEST_TIMEOUT) -> DockerTunnel:
    """A client of the Docker daemon at `host`: `unix://path`, `tcp://address:port` or `ssh://user@address:port`.

    `ssh_options` are words for ssh's command line, for instance `["-i", "key", "-o", "StrictHostKeyChecking=yes"]`;
    `timeout` is in seconds, for the way there. Raises SshError when the machine or its daemon does not answer.
    """
    if not host.startswith("ssh://"):
        return DockerTunnel(host, _client(host, host))
    tunnel = _Tunnel(host, ssh_options, timeout)
    try:
        return DockerTunnel(host, _client(f"unix://{tunnel.socket}", host), tunnel)
    except BaseException as error:
        tunnel.close()
        if isinstance(error, SshError) and (said := tunnel.stderr()):
            raise SshError(f"{error} ({said})") from error
        raise


def run(
    host: str,
    ssh_options: Sequence[str],
    argv: Sequence[str],
    timeout: float,
    input: str = "",  # noqa: A002 - the word of subprocess.run
) -> Finished:
    """Run one command on the machine `ssh://user@address:port`. Whatever is secret goes in by `input`, never `argv`.

    A command that fails is an answer (its status); SshError is raised when ssh itself fails or the time is over.
    """
    command = [*_ssh(host, ssh_options, ["-T"]), shlex.join(argv)]
    try:
        done = subprocess.run(
            command, input=input, capture_output=True, text=True, timeout=timeout, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired as error:
        raise SshError(f"{host}: `{argv[0]}` gave no answer within {timeout:g} s") from error
    except FileNotFoundError as error:
        raise SshError("ssh is not on PATH: install the OpenSSH client (package openssh-client)") from error
    if done.returncode == 255:
        raise SshError(f"{host}: {_said(done.stderr)}")
    return Finished(done.returncode, done.stdout, done.stderr)


def _client(base_url: str, host: str) -> "docker.APIClient":
    # Imported here: the docker SDK takes a third of a second, and a preview may never need it.
    import docker  # noqa: PLC0415
    import docker.errors  # noqa: PLC0415

    try:
        return docker.APIClient(base_url=base_url, timeout=REQUEST_TIMEOUT, max_pool_size=64)
    except docker.errors.DockerException as error:
        raise SshError(f"{host}: the Docker daemon does not answer: {_innermost(error)}") from error


def _innermost(error: BaseException) -> BaseException:
    """The operating system's own error: what docker and requests wrap around it says nothing more."""
    while True:
        inner = error.__cause__ or error.__context__
        if inner is None or (isinstance(error, OSError) and error.strerror):
            return error
        error = inner


def _ssh(host: str, ssh_options: Sequence[str], more: Sequence[str]) -> list[str]:
    parts = urlsplit(host)
    if parts.scheme != "ssh" or not parts.hostname:
        raise SshError(f"host is {host!r}: expected ssh://user@address:port")
    login = ["-l", parts.username] if parts.username else []
    port = ["-p", str(parts.port)] if parts.port else []
    # ssh takes the first value that it meets of an option: what the caller wants comes first.
    return ["ssh", *ssh_options, *ALWAYS, *login, *port, *more, "--", parts.hostname]


def _said(stderr: str) -> str:
    """ssh's message in one line; of a banner about a changed key what matters is that line."""
    lines = [line.strip(" @\r") for line in stderr.splitlines() if line.strip(" @\r")]
    return "; ".join(lines) or "ssh ended without a message"


class _Tunnel:
    """One ssh process that forwards a private local socket to the daemon's.

    The far side runs `cat` on our standard input instead of nothing (`-N`): it ends by itself when we die, however that
    comes about, and its first line tells that the forwarding stands, so nothing has to poll for the socket.
    """

    def __init__(self, host: str, ssh_options: Sequence[str], timeout: float) -> None:
        self._host = host
        room = tempfile.gettempdir()
        self._directory = tempfile.mkdtemp(prefix="docker-", dir=room if len(room) < LONGEST_DIRECTORY else "/tmp")  # noqa: S108 - mkdtemp is private
        self.socket = str(Path(self._directory) / "docker.sock")
        self._close = threading.Lock()
        forward = ["-T", "-o", "ExitOnForwardFailure=yes", "-L", f"{self.socket}:{DOCKER_SOCKET}"]
        # A file, not a pipe: nobody would read a pipe while the tunnel stands.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        try:
            command = [*_ssh(host, ssh_options, forward), f"echo {READY} && exec cat >/dev/null"]
            self._process = self._start(command)
            self._wait(time.monotonic() + timeout, timeout)
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def stderr(self) -> str:
        """What ssh said so far, in one line."""
        if self._stderr.closed:
            return ""
        self._stderr.seek(0)
        text = self._stderr.read().decode(errors="replace")
        return _said(text) if text.strip() else ""

    def close(self) -> None:
        with self._close:
            process = getattr(self, "_process", None)
            if process is not None and process.returncode is None:
                process.terminate()
                process.wait()
            for pipe in (process.stdin, process.stdout) if process is not None else ():
                if pipe is not None:
                    pipe.close()
            self._stderr.close()
            shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        try:
            # Its own session: the user's Ctrl-C is for the engine, which then tells us to cancel.
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                start_new_session=True,
                bufsize=0,
            )
        except FileNotFoundError as error:
            raise SshError("ssh is not on PATH: install the OpenSSH client (package openssh-client)") from error

    def _wait(self, end: float, timeout: float) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        heard = b""
        while READY.encode() not in heard:
            if not select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
                raise SshError(f"{self._host}: {self.stderr() or 'no answer'} (within {timeout:g} s)")
            piece = os.read(descriptor, 4096)
            if not piece:
                # It said nothing more, so it is ending; whatever holds it up is not worth waiting for.
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(1)
                raise SshError(f"{self._host}: {self.stderr() or 'ssh ended without a message'}")
            heard += piece
