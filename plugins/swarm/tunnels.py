"""Docker clients of machines, one per machine however many operations use it at once: shared, counted, reopened when
dead and closed when nobody uses them."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugins.swarm.ssh import DockerTunnel, SshError

if TYPE_CHECKING:
    import docker

Connect = Callable[[], DockerTunnel]
# For so long a machine that did not answer is asked last.
SUSPICION = 30.0


@dataclass(slots=True)
class _Entry:
    """The one tunnel of a machine; `failed` is the latest failure to open it and when it was."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
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
        finally:
            self._leave(key, entry)

    def is_suspect(self, key: str) -> bool:
        """Whether this machine did not answer a moment ago."""
        return time.monotonic() - self._suspects.get(key, -SUSPICION) < SUSPICION

    def close(self) -> None:
        """Close all, so that whoever waits on one is woken by an error."""
        with self._lock:
            entries, self._entries = list(self._entries.values()), {}
        for entry in entries:
            if entry.tunnel is not None:
                entry.tunnel.close()

    def _open(self, key: str, entry: _Entry, connect: Connect) -> DockerTunnel:
        asked = time.monotonic()
        with entry.lock:
            if entry.tunnel is not None and entry.tunnel.alive:
                return entry.tunnel
            # Whoever queued behind a failed attempt shares its result: sixty timeouts in a row help nobody.
            if entry.failed is not None and entry.failed[0] >= asked:
                raise entry.failed[1]
            if entry.tunnel is not None:
                entry.tunnel.close()
                entry.tunnel = None
            try:
                entry.tunnel = connect()
            except SshError as error:
                entry.failed = (time.monotonic(), error)
                self._suspects[key] = time.monotonic()
                raise
            self._suspects.pop(key, None)
            return entry.tunnel

    def _leave(self, key: str, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            if entry.users:
                return
            if self._entries.get(key) is entry:
                del self._entries[key]
        if entry.tunnel is not None:
            entry.tunnel.close()
