"""HAProxy's configuration, rendered from the graph. Pure: the load balancer and the proxy on every node share it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

HEALTH_PORT = 8405
CONFIGURATION_PATH = "/usr/local/etc/haproxy/haproxy.cfg"
_FEWEST_SLOTS = 16


@dataclass(frozen=True, kw_only=True)
class Frontend:
    """A port to listen on, and the servers behind it: every address that Docker's DNS gives for the name `backend`, or
    those of `servers` (address by name) where they are known beforehand; each is checked by a request for
    `health_path`, or by a connection where that is empty: such a port carries any protocol. One that is `secure` is
    passed on as well, and asked for `health_path` over TLS: certificates are the clients' business. `expected` is how
    many there are now. A `read_only` one passes on no request that changes anything."""

    name: str
    port: int
    backend: str
    backend_port: int
    expected: int
    health_path: str
    secure: bool = False
    servers: Mapping[str, str] = field(default_factory=dict[str, str])
    read_only: bool = False

    @property
    def http(self) -> bool:
        """Whether requests are read on their way, not only passed on."""
        return bool(self.health_path) and not self.secure


def render(frontends: Sequence[Frontend], *, statistics_port: int | None = None) -> str:
    """The whole `haproxy.cfg`; frontends in the order of their names, so that order elsewhere changes nothing."""
    ordered = sorted(frontends, key=lambda frontend: frontend.name)
    parts = [_defaults(), _health()]
    if any(not frontend.servers for frontend in ordered):
        parts.append(_resolvers())
    if statistics_port is not None:
        parts.append(_statistics(statistics_port))
    for frontend in ordered:
        parts += [_frontend(frontend), _backend(frontend)]
    return "\n\n".join(parts) + "\n"


def slots(expected: int) -> int:
    """How many servers a backend has room for: doubled steps, so that scaling seldom changes the file."""
    room = _FEWEST_SLOTS
    while room < 2 * expected:
        room *= 2
    return room


def _section(head: str, *lines: str) -> str:
    return "\n".join((head, *(f"    {line}" for line in lines)))


def _defaults() -> str:
    return "\n\n".join(
        (
            # A graceful stop waits for idle connections, but not beyond the grace period of a task.
            _section("global", "log stdout format raw local0 notice", "maxconn 4096", "hard-stop-after 8s"),
            _section(
                "defaults",
                "mode http",
                "log global",
                "option dontlognull",
                "option redispatch",
                "retries 3",
                "timeout connect 5s",
                "timeout client 50s",
                "timeout server 50s",
                "timeout check 3s",
                "default-server inter 2s fall 3 rise 1",
            ),
        )
    )


def _health() -> str:
    return _section("frontend health", f"bind :{HEALTH_PORT}", "monitor-uri /healthz")


def _resolvers() -> str:
    return _section(
        "resolvers docker",
        "nameserver docker 127.0.0.11:53",
        "accepted_payload_size 8192",
        "hold valid 1s",
        "hold nx 2s",
        "timeout resolve 1s",
        "timeout retry 1s",
    )


def _statistics(port: int) -> str:
    return _section(
        "frontend statistics",
        f"bind :{port}",
        "stats enable",
        "stats uri /",
        "stats refresh 5s",
        "http-request use-service prometheus-exporter if { path /metrics }",
    )


_ANY_PROTOCOL = ("mode tcp", "option tcplog")
_IDLE = "1h"
"""How long a connection of any protocol may rest: clients of databases keep theirs open."""


def _frontend(frontend: Frontend) -> str:
    own = ("option forwardfor if-none",) if frontend.http else (*_ANY_PROTOCOL, f"timeout client {_IDLE}")
    if frontend.read_only:
        own = (*own, "http-request deny deny_status 405 unless { method GET HEAD OPTIONS }")
    return _section(
        f"frontend {frontend.name}",
        f"bind :{frontend.port}",
        *own,
        f"default_backend {frontend.name}",
    )


def _backend(frontend: Frontend) -> str:
    return _section(
        f"backend {frontend.name}",
        "balance roundrobin",
        *_check(frontend),
        *_servers(frontend),
    )


def _check(frontend: Frontend) -> Iterator[str]:
    if not frontend.http:
        yield from ("mode tcp", f"timeout server {_IDLE}")
    if frontend.health_path:
        yield f"option httpchk GET {frontend.health_path}"


def _servers(frontend: Frontend) -> Iterator[str]:
    check = "check check-ssl verify none" if frontend.secure else "check"
    if not frontend.servers:
        target = f"{frontend.backend}:{frontend.backend_port}"
        yield f"server-template server {slots(frontend.expected)} {target} {check} resolvers docker init-addr none"
    for name, address in frontend.servers.items():
        yield f"server {name} {address}:{frontend.backend_port} {check}"
