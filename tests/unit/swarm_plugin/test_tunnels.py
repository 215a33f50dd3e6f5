"""Sharing of tunnels."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from plugins.swarm.ssh import DockerTunnel, SshError
from plugins.swarm.tunnels import Tunnels
from tests.waiting import wait_for


class Client:
    """Stands for a client of the docker SDK."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Opened:
    """Counts tunnels; `dead` ones end as an ssh that lost its machine."""

    def __init__(self) -> None:
        self.tunnels: list[DockerTunnel] = []
        self.dead: set[DockerTunnel] = set()

    def __call__(self) -> DockerTunnel:
        opened, client = self, Client()

        class Tunnel(DockerTunnel):
            @property
            def alive(self) -> bool:
                return self not in opened.dead

        self.tunnels.append(Tunnel("m", client))  # pyright: ignore[reportArgumentType]
        return self.tunnels[-1]


def test_all_who_use_a_machine_share_one_tunnel_that_is_closed_when_nobody_does() -> None:
    tunnels, opened, together = Tunnels(), Opened(), threading.Barrier(64)

    def use(_: int) -> Any:
        client: Any
        with tunnels.client("m", opened) as client:
            together.wait(60)
            tunnels.sweep(0)
            together.wait(60)
            return client if not client.closed else None

    with ThreadPoolExecutor(64) as pool:
        clients = set(pool.map(use, range(64)))
    assert len(opened.tunnels) == len(clients) == 1
    client = clients.pop()
    tunnels.sweep()
    assert not client.closed, "the next operation would have used it"
    tunnels.sweep(0)
    assert client.closed


def test_a_dead_tunnel_is_opened_anew() -> None:
    tunnels, opened = Tunnels(), Opened()
    with tunnels.client("m", opened) as first:
        opened.dead.add(opened.tunnels[0])
        with tunnels.client("m", opened) as second:
            assert first is not second


def test_who_queued_behind_a_failed_attempt_shares_its_failure() -> None:
    tunnels, attempts = Tunnels(), list[int]()

    def fail() -> DockerTunnel:
        attempts.append(1)
        if len(attempts) == 1:
            wait_for("the others", lambda: tunnels._entries["m"].users == 8)
        raise SshError("silent")

    def use(_: int) -> None:
        with pytest.raises(SshError, match="silent"), tunnels.client("m", fail):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))
    assert len(attempts) < 8
    assert tunnels.is_suspect("m")
    assert not tunnels.is_suspect("other")
