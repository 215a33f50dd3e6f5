"""Provider plugins: found, started, spoken to over Pulumi's protocol, and stopped.

A plugin is a program that the project names, or a stand-in that runs inside the engine's process.
"""

import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hermetic.provider_client import START_TIMEOUT, Plugin, PluginError, ProviderClient

STOP_TIMEOUT = 5.0
TAIL_LINES = 12
# Not for children: who has the passphrase can read the whole state.
WITHHELD = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")

# Stand-ins for these check and preview, and have no way to change anything.
PREVIEW_ONLY = frozenset({"aws", "openstack"})

LineSink = Callable[[str, str], None]


class PluginHost:
    """Starts the plugins of one deployment, and stops them all at its end."""

    def __init__(
        self,
        *,
        project_folder: Path,
        program_folder: Path,
        paths: Mapping[str, Path],
        virtualenv: Path | None,
        report: LineSink,
        refusals: Mapping[str, str],
    ) -> None:
        """`paths` are the folders of `plugins.providers`; `report` gets (plugin, line) for all that plugins print.

        `refusals` are the packages that must not be started here, with the reason for the user.
        """
        self.engine_address = ""
        self.program_folder = program_folder
        self._project_folder = project_folder
        self._paths = paths
        self._virtualenv = virtualenv
        self._report = report
        self._refusals = refusals
        self._running: list[ProviderClient] = []
        self._lock = threading.Lock()
        # What a stand-in says about a resource in progress goes here: (urn, line).
        self.progress: Callable[[str, str], None] = lambda _urn, _line: None
        # And here what it says besides; each line once, however many instances say it.
        self.warning: Callable[[str], None] = lambda _line: None
        self._warned: set[str] = set()

    def start(self, package: str, version: str = "") -> "ProviderClient":
        """A fresh, unconfigured instance of the provider of a package."""
        if package in self._refusals:
            raise PluginError(self._refusals[package])
        folder = self._paths.get(package)
        if folder is not None:
            plugin: Plugin = _Process(
                package, folder / f"pulumi-resource-{package}", self.engine_address, self._environment(), self._report
            )
        else:
            plugin = self._stand_in(package, version)
        client = ProviderClient(package, plugin)
        with self._lock:
            self._running.append(client)
        client.handshake(self.engine_address, self._project_folder, self.program_folder)
        return client

    def cancel(self) -> None:
        """Tell every plugin to end its operations early."""
        for client in self._snapshot():
            client.cancel()

    def stop(self) -> None:
        """End all plugins."""
        for client in self._snapshot():
            client.close()

    def _snapshot(self) -> list["ProviderClient"]:
        with self._lock:
            return list(self._running)

    def _warn(self, line: str) -> None:
        with self._lock:
            new = line not in self._warned
            self._warned.add(line)
        if new:
            self.warning(line)

    def _environment(self) -> dict[str, str]:
        environment = child_environment()
        if self._virtualenv is not None:
            environment["PULUMI_RUNTIME_VIRTUALENV"] = str(self._virtualenv)
        return environment

    def _stand_in(self, package: str, version: str) -> Plugin:
        from hermetic import providers  # noqa: PLC0415  only stacks without the binary pay for it

        try:
            return _StandIn(providers.serve(package, self.progress, self._warn))
        except KeyError as error:
            wanted = f" at version v{version}" if version else ""
            raise PluginError(
                f"no resource plugin 'pulumi-resource-{package}' found{wanted}: name its folder in Pulumi.yaml under "
                "plugins.providers, or use the Pulumi CLI, which can install it"
            ) from error


def child_environment() -> dict[str, str]:
    """The engine's environment for a child process, without what is the engine's alone."""
    environment = {key: value for key, value in os.environ.items() if key not in WITHHELD}
    caller = environment.pop("HERMETIC_CALLER_PYTHONPATH", None)
    if caller is not None:
        environment["PYTHONPATH"] = caller
        if not caller:
            del environment["PYTHONPATH"]
    return environment


class _StandIn:
    """A provider inside this process."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.address: str = server.address

    def stop(self) -> None:
        self._server.stop()

    def obituary(self) -> str:
        return ""


class _Process:
    """A plugin in a process of its own: it prints its port, then serves until it is stopped."""

    def __init__(
        self, package: str, executable: Path, engine: str, environment: dict[str, str], report: LineSink
    ) -> None:
        if not executable.is_file():
            raise PluginError(
                f"plugin {package}: {executable} does not exist: correct plugins.providers in Pulumi.yaml"
            )
        self._package = package
        self._report = report
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._first_line: queue.Queue[str | None] = queue.Queue()
        try:
            # A group of its own: Ctrl-C is for the engine, which then cancels in order.
            self._process = subprocess.Popen(
                [str(executable), engine], env=environment, stdin=subprocess.DEVNULL, text=True, errors="replace",
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0,
            )  # fmt: skip
        except OSError as error:
            raise PluginError(f"plugin {package} does not start: {executable}: {error.strerror}") from error
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.address = f"127.0.0.1:{self._port()}"

    def _port(self) -> int:
        try:
            line = self._first_line.get(timeout=START_TIMEOUT)
        except queue.Empty:
            self.stop()
            raise PluginError(
                f"plugin {self._package} does not start: it printed no port within {START_TIMEOUT:.0f} s"
                f"{self.obituary()}"
            ) from None
        if line is None or not line.strip().isdigit():
            self.stop()
            said = "it ended" if line is None else f"its first line is {line.strip()!r} and not a port"
            raise PluginError(f"plugin {self._package} does not start: {said}{self.obituary()}")
        return int(line)

    def _read_output(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        self._first_line.put(stream.readline() or None)
        for line in stream:
            self._report(self._package, line.rstrip("\n"))

    def _read_errors(self) -> None:
        for line in self._process.stderr or ():
            self._tail.append(line.rstrip("\n"))
            self._report(self._package, line.rstrip("\n"))

    def obituary(self) -> str:
        """How the process ended and what it said last; empty while it runs."""
        try:
            code = self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return ""
        for reader in self._readers:
            reader.join(1)
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        said = "".join(f"\n    {line}" for line in self._tail)
        return f" ({how})" + (f"; its last lines:{said}" if said else "; it wrote nothing to stderr")

    def stop(self) -> None:
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
