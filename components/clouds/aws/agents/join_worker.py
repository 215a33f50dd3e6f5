"""Makes this machine a worker of the swarm, once: at its first boot, and again should it have dropped out.

The join token comes from Systems Manager by the machine's own role and goes to the engine by its socket: it is never on
a command line, in a file or in the journal. `python3 -m agents.join_worker`, by systemd."""

from __future__ import annotations

import json
import logging
import random
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from .engine import Engine

SETTINGS = Path("/etc/flotilla/join.json")
SHORTEST_WAIT, LONGEST_WAIT = 2.0, 60.0
DEADLINE_SECONDS = 1500.0

log = logging.getLogger("join")


class NotJoinedError(Exception):
    """What is in the way now, and may be gone at the next attempt."""


@dataclass(frozen=True)
class Invitation:
    """Where to join, and what with."""

    managers: list[str]
    token: str

    @classmethod
    def parse(cls, text: str) -> Invitation:
        """From the parameter's JSON. What is wrong with it is said without a word of it."""
        try:
            content = json.loads(text)
            return cls([str(address) for address in content["managers"]], str(content["token"]))
        except (ValueError, KeyError, TypeError):
            raise NotJoinedError("the parameter does not hold managers and a token") from None


@dataclass(frozen=True)
class Clock:
    """Time, so that tests have their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def join(
    engine: Engine,
    invite: Callable[[], Invitation],
    route: Callable[[str], str],
    clock: Clock | None = None,
    seconds: float = DEADLINE_SECONDS,
) -> bool:
    """Try until this machine is in the swarm; False when `seconds` are over.

    `invite` reads the invitation anew for every attempt, since a token can be rotated meanwhile; `route` gives the
    address of this machine on the way to a manager.
    """
    clock = clock or Clock()
    end, wait = clock.now() + seconds, SHORTEST_WAIT
    while True:
        try:
            if _attempt(engine, invite, route):
                return True
        except Exception as error:
            log.warning("not yet: %s", error)
        if clock.now() >= end:
            return False
        # Many machines begin at once: without chance they would all come back at once, too.
        clock.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - nothing secret
        wait = min(wait * 2, LONGEST_WAIT)


def _attempt(engine: Engine, invite: Callable[[], Invitation], route: Callable[[str], str]) -> bool:
    state = _state(engine)
    if state == "active":
        return True
    if state == "pending":
        raise NotJoinedError("the engine is still joining")
    if state == "error":
        # A membership that ended, or never began, stands in the way of a new one.
        engine.call("POST", "/swarm/leave?force=true")
    invitation = invite()
    request = {
        "ListenAddr": "0.0.0.0:2377",
        "AdvertiseAddr": route(invitation.managers[0]),
        "RemoteAddrs": invitation.managers,
        "JoinToken": invitation.token,
    }
    try:
        engine.call("POST", "/swarm/join", request)
    except Exception as error:
        raise NotJoinedError(str(error).replace(invitation.token, "<token>")) from None
    return _state(engine) == "active"


def _state(engine: Engine) -> str:
    return engine.call("GET", "/info")["Swarm"]["LocalNodeState"]


def address_towards(manager: str) -> str:
    """This machine's own address on the way to `address:port`: nothing is sent to find out."""
    host, _, port = manager.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect((host, int(port)))
        return way.getsockname()[0]


def read_invitation(client: Any, parameter: str) -> Invitation:
    """The invitation in a SecureString of Systems Manager."""
    answer = client.get_parameter(Name=parameter, WithDecryption=True)
    return Invitation.parse(answer["Parameter"]["Value"])


def main() -> int:
    """Exit code 0 once the machine is a worker."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = json.loads(SETTINGS.read_text())
    # Only machines have boto3.
    client = import_module("boto3").client("ssm", region_name=settings["region"])
    if not join(Engine(), lambda: read_invitation(client, settings["parameter"]), address_towards):
        log.error("gave up: a new machine that does not join is replaced by its group")
        return 1
    log.info("this machine is a worker of the swarm")
    return 0


if __name__ == "__main__":
    sys.exit(main())
