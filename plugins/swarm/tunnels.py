"""Docker clients of machines, one per machine however many operations use it at once: shared, counted, reopened when
dead and closed when nobody has used them for a while."""

import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugins.swarm.daemon import DaemonError
from plugins.swarm.ssh import DockerTunnel, SshError

if TYPE_CHECKING:
    import docker

Connect = Callable[[], DockerTunnel]
# For so long a machine that did not answer is asked last.
SUSPICION = 30.0
# For so long a tunnel that nobody uses stays open: the next operation on the machine follows at once.
LINGER = 5.0


@dataclass(slots=True)
class _Entry:
    """The one tunnel of a machine; `failed` is the latest failure to open it and when it was."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    idle_since: float = 0.0
    broken: bool = False
    tunnel: DockerTunnel | None = None
    failed: tuple[float, SshError] | None = None


class Tunnels:
    """All open tunnels of this process, by a key of the caller's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._suspects: dict[str, float] = {}

    @contextmanager
    def client(self, key: str, connect: Connect) -> Generator["docker.APIClient"]:
        """The client of a machine for the length of the block."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            entry.users += 1
        try:
            yield self._open(key, entry, connect).client
        except DaemonError as error:
            # A call got no answer: whether the machine is still there is found out by connecting anew.
            entry.broken = entry.broken or error.status == 0
            raise
        finally:
            self._leave(entry)

    def is_suspect(self, key: str) -> bool:
        """Whether this machine did not answer a moment ago."""
        return time.monotonic() - self._suspects.get(key, -SUSPICION) < SUSPICION

    def sweep(self, linger: float = LINGER) -> None:
        """Close what nobody has used for so many seconds."""
        latest = time.monotonic() - linger
        with self._lock:
            idle = {key: one for key, one in self._entries.items() if not one.users and one.idle_since <= latest}
            for key in idle:
                del self._entries[key]
        _close(idle.values())

    def close(self) -> None:
        """Close all, so that whoever waits on one is woken by an error."""
        with self._lock:
            entries, self._entries = self._entries, {}
        _close(entries.values())

    def _open(self, key: str, entry: _Entry, connect: Connect) -> DockerTunnel:
        asked = time.monotonic()
        with entry.lock:
            if entry.tunnel is not None and entry.tunnel.alive and not entry.broken:
                return entry.tunnel
            # Whoever queued behind a failed attempt shares its result: sixty timeouts in a row help nobody.
            if entry.failed is not None and entry.failed[0] >= asked:
                raise entry.failed[1]
            if entry.tunnel is not None:
                entry.tunnel.close()
                entry.tunnel = None
            try:
                entry.tunnel, entry.broken = connect(), False
            except SshError as error:
                entry.failed = (time.monotonic(), error)
                self._suspects[key] = time.monotonic()
                raise
            self._suspects.pop(key, None)
            return entry.tunnel

    def _leave(self, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            entry.idle_since = time.monotonic()


def _close(entries: Iterable[_Entry]) -> None:
    for entry in entries:
        if entry.tunnel is not None:
            entry.tunnel.close()
