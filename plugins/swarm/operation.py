"""One request of the engine while it runs: its deadline, its progress messages, its way to machines."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from plugins.swarm.connection import Access, Connection, explain_wrong_key, is_wrong_host_key
from plugins.swarm.daemon import DaemonError, SwarmView, answers_of, look_at
from plugins.swarm.errors import CancelledError, DeadlineError, SwarmError
from plugins.swarm.ssh import DockerTunnel, Finished, SshError, connect_docker, run
from plugins.swarm.tunnels import Tunnels

if TYPE_CHECKING:
    import docker

Found = TypeVar("Found")
Say = Callable[[str], None]
INTERVAL = 0.25
SLOWEST_INTERVAL = 2.0
SSH_TIMEOUT = 20.0


@dataclass(slots=True)
class Session:
    """What all operations of the process share: tunnels, locks of clusters, the mark that the user interrupted."""

    access: Access = field(default_factory=Access)
    tunnels: Tunnels = field(default_factory=Tunnels)
    cancelled: threading.Event = field(default_factory=threading.Event)
    connect: Callable[[str, Sequence[str], float], DockerTunnel] = connect_docker
    run: Callable[[str, Sequence[str], Sequence[str], float, str], Finished] = run
    _locks: dict[str, threading.Lock] = field(default_factory=dict[str, threading.Lock])
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def lock(self, cluster_id: str) -> threading.Lock:
        """The lock of a cluster's set of managers: it changes by one at a time, so that the arithmetic holds."""
        with self._guard:
            return self._locks.setdefault(cluster_id, threading.Lock())


class Operation:
    """One create, read, update or delete. `name` is the resource's, `seconds` its time in all."""

    def __init__(self, session: Session, name: str, seconds: float, say: Say, warn: Say) -> None:
        self.session = session
        self.name = name
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._say = say
        self.warn = warn
        self._said = ""

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, never below 0."""
        return max(0.0, self._end - time.monotonic())

    def progress(self, message: str) -> None:
        """Show the user what is being waited for; the same message is not sent twice in a row."""
        if message != self._said:
            self._said = message
            self._say(message)

    def check(self, waiting_for: str) -> None:
        """Raise when the user interrupted or the time is over."""
        if self.session.cancelled.is_set():
            raise CancelledError(f"cancelled while waiting for {waiting_for}")
        if not self.remaining:
            raise DeadlineError(f"{waiting_for}: not within {self.seconds:g} s")

    def wait(
        self,
        look: Callable[[], Found | None],
        waiting_for: str,
        *,
        said: Callable[[], str] = lambda: "",
        tolerate: tuple[type[Exception], ...] = (),
    ) -> Found:
        """The first result of `look` that is not None or False, asked again and again until the deadline.

        Errors of the kinds in `tolerate` count as "not yet"; the last one is told when the time is over, and so is
        what `said` gives.
        """
        interval, trouble = INTERVAL / 4, ""
        while True:
            try:
                if found := look():
                    return found
                trouble = said()
            except tolerate as error:
                trouble = str(error)
            self.progress(f"waiting for {waiting_for}: {trouble}" if trouble else f"waiting for {waiting_for}")
            self.check(f"{waiting_for} ({trouble})" if trouble else waiting_for)
            self.pause(interval)
            interval = min(interval * 1.5, SLOWEST_INTERVAL)

    def pause(self, seconds: float) -> None:
        """Let time pass between two looks; an interruption and the deadline end it."""
        self.session.cancelled.wait(min(seconds, self.remaining))

    @contextmanager
    def locked(self, cluster_id: str) -> Generator[None]:
        """Alone among the operations that change the set of managers of this cluster."""
        lock = self.session.lock(cluster_id)
        self.wait(lambda: lock.acquire(blocking=False), "other changes of the managers")
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def docker(self, connection: Connection) -> Generator["docker.APIClient"]:
        """The Docker daemon of a machine whose host key is known; its refusals are raised as DaemonError."""
        session = self.session
        options = session.access.pinned(connection)

        def connect() -> DockerTunnel:
            try:
                return session.connect(connection.url, options, min(SSH_TIMEOUT, max(1.0, self.remaining)))
            except SshError as error:
                raise _explained(connection, error) from error

        key = f"{connection.url} {connection.host_key}"
        with session.tunnels.client(key, connect) as client, answers_of(connection.name):
            yield client

    def look(self, connection: Connection) -> SwarmView:
        """The swarm as this machine's daemon sees it."""
        try:
            with self.docker(connection) as client:
                return look_at(client)
        except DaemonError as error:
            if error.status:
                raise
        # The shared connection may have died unnoticed: only a new one tells whether the machine is there.
        with self.docker(connection) as client:
            return look_at(client)

    def command(
        self,
        connection: Connection,
        options: Sequence[str],
        argv: Sequence[str],
        *,
        input: str = "",  # noqa: A002 - the word of subprocess.run
        seconds: float = SSH_TIMEOUT,
    ) -> Finished:
        """Run one command on a machine, for so many seconds at most."""
        try:
            return self.session.run(connection.url, options, argv, min(seconds, max(1.0, self.remaining)), input)
        except SshError as error:
            raise _explained(connection, error) from error

    def is_suspect(self, connection: Connection) -> bool:
        """Whether this machine did not answer a moment ago."""
        return self.session.tunnels.is_suspect(f"{connection.url} {connection.host_key}")


class WrongHostKeyError(SwarmError):
    """Another machine answers, or a reinstalled one: never to be waited out."""


def _explained(connection: Connection, error: SshError) -> SshError | WrongHostKeyError:
    return WrongHostKeyError(explain_wrong_key(connection)) if is_wrong_host_key(str(error)) else error
