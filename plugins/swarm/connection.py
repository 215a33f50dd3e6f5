"""A machine's SSH endpoint as resources carry it, and what ssh's refusals say about the machine."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from plugins.swarm.errors import SwarmError

PINNED = (
    "-o",
    "StrictHostKeyChecking=yes",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "GlobalKnownHostsFile=/dev/null",
)
QUIET = ("-o", "LogLevel=ERROR", "-o", "PasswordAuthentication=no")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a machine's SSH server is, and the host key that is required of it (empty before the first contact)."""

    address: str
    port: int
    user: str
    host_key: str = ""

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> "Connection":
        """From the properties of a resource."""
        key = " ".join(str(properties.get("hostKey") or "").split()[:2])
        return cls(properties["address"], int(properties["port"]), properties["user"], key)

    @classmethod
    def parse(cls, url: str) -> "Connection":
        """From `ssh://user@address:port`."""
        parts = urlsplit(url)
        if parts.scheme != "ssh" or not parts.hostname:
            raise SwarmError(f"id is {url!r}: expected ssh://user@address:port")
        return cls(parts.hostname, parts.port or 22, parts.username or "root")

    def properties(self) -> dict[str, Any]:
        """As outputs carry it."""
        key = {"hostKey": self.host_key} if self.host_key else {}
        return {"address": self.address, "port": self.port, "user": self.user, **key}

    @property
    def url(self) -> str:
        """`ssh://user@address:port`."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"ssh://{self.user}@{address}:{self.port}"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.address}:{self.port}"

    @property
    def known_as(self) -> str:
        """Its name in a known_hosts line."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"


@dataclass(frozen=True, slots=True)
class Access:
    """How the provider is configured to log in: a key file and further words for ssh's command line."""

    identity_file: str = ""
    ssh_options: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """Words for every ssh of this provider."""
        identity = ("-i", self.identity_file, "-o", "IdentitiesOnly=yes") if self.identity_file else ()
        return (*self.ssh_options, *identity, *QUIET)

    def pinned(self, connection: Connection) -> tuple[str, ...]:
        """Words that require the connection's host key."""
        if not connection.host_key:
            raise SwarmError(f"connection {connection.name} has no hostKey: take the connection that a Host gives")
        known = f"KnownHostsCommand=/bin/echo {connection.known_as} {connection.host_key}"
        return (*self.options, *PINNED, "-o", known)


def is_wrong_host_key(message: str) -> bool:
    """Whether ssh refused because another key than the required one answered."""
    return "REMOTE HOST IDENTIFICATION HAS CHANGED" in message or "Host key verification failed" in message


def is_nobody_there(message: str) -> bool:
    """Whether the network itself said that nothing listens there; a timeout or a failed login proves nothing."""
    # ssh's own words for its own connection: a daemon that is down on a living machine reads much alike.
    said = r"ssh: connect to host \S+ port \d+: (Connection refused|No route to host)"
    return re.search(said, message) is not None


def explain_wrong_key(connection: Connection) -> str:
    """The message for a machine that shows another key."""
    return (
        f"connection.hostKey: REMOTE HOST IDENTIFICATION HAS CHANGED for {connection.name}: it does not show the key "
        f"{connection.host_key!r}. Either another machine answers there, or it was reinstalled: if that was you, "
        "give its new key (or run `pulumi up --replace` of its Host to record it anew)"
    )


def connections_of(properties: Mapping[str, Any], *names: str) -> list[Connection]:
    """The connections below the named properties (single ones or lists), each endpoint once, in order."""
    found: dict[str, Connection] = {}
    for name in names:
        value: Any = properties.get(name) or []
        for item in value if isinstance(value, Sequence) else [value]:
            connection = Connection.of(item)
            found.setdefault(connection.url, connection)
    return list(found.values())
