"""What a proxy in front of a Docker Engine lets through, as HAProxy's configuration. Pure. A socket that is mounted
read-only still takes every request: only a filter of methods and paths makes its use read-only (E15)."""

import re
from collections.abc import Sequence
from typing import Final, Literal

from components.plan.errors import PlanError

PORT: Final = 2375
SOCKET: Final = "/var/run/docker.sock"
PING: Final = "/_ping"
Access = Literal["read", "write"]
"""Whether requests may change things; `write` is as good as root on every node."""

SWARM_PATHS: Final = (
    PING,
    "/version",
    "/info",
    "/nodes",
    "/nodes/{id}",
    "/services",
    "/services/{id}",
    "/tasks",
    "/tasks/{id}",
    "/networks",
    "/networks/{id}",
)
"""What it takes to look at a swarm: no page of it holds a token, the content of a secret or that of a config."""
_REFUSED: Final = {
    "swarm": "it answers with the tokens that let machines join",
    "exec": "it runs commands in containers",
    "attach": "it takes over a container's input and output",
    "archive": "it reads files of containers",
    "export": "it copies what is in a container",
    "get": "it copies images",
    "session": "it hands the connection over to a build",
    "grpc": "it hands the connection over to a build",
    "build": "it runs commands on the node",
    "auth": "it takes passwords of registries",
    "plugins": "they are root on the node",
}
_REFUSED_TO_READERS: Final = {
    "secrets": "a reader has no use for it",
    "configs": "it answers with their content, which may be private",
}
_PATH: Final = re.compile(r"(/([a-z_]+|\{id\}))+")
# A name never begins with a dot, so that no segment goes up; no percent sign, so that none is hidden.
_SEGMENT: Final = "[A-Za-z0-9][A-Za-z0-9_.-]*"
_METHODS: Final = {"read": "GET HEAD", "write": "GET HEAD POST PUT DELETE"}


def check_paths(paths: Sequence[str], access: Access, *, field: str) -> None:
    """PlanError for a path that is none, or that no client of such a proxy may have."""
    refused = _REFUSED if access == "write" else {**_REFUSED, **_REFUSED_TO_READERS}
    for path in paths:
        if not _PATH.fullmatch(path):
            problem = "this is no path of the Engine's API"
            raise PlanError(field=field, value=path, problem=problem, fix="write it as in /containers/{id}/json")
        for segment in path.split("/"):
            if segment in refused:
                raise PlanError(field=field, value=path, problem=refused[segment], fix="leave it out")


def endpoint(host: str) -> str:
    """What a client of the proxy `host` takes for DOCKER_HOST."""
    return f"tcp://{host}:{PORT}"


def render(paths: Sequence[str], access: Access = "read") -> str:
    """The whole `haproxy.cfg`: the paths, with and without the API's version before them, and nothing else."""
    allowed = (f"acl allowed path_reg '{_expression(path)}'" for path in sorted({PING, *paths}))
    parts = (
        _section("global", "log stdout format raw local0 info", "maxconn 256", "hard-stop-after 8s"),
        _section(
            "defaults",
            "mode http",
            "log global",
            "option httplog",
            "option dontlognull",
            "timeout http-request 5s",
            "timeout connect 5s",
            # Who follows the events may hear nothing for a while.
            "timeout client 10m",
            "timeout server 10m",
        ),
        _section(
            "frontend engine",
            f"bind :{PORT}",
            f"acl method_fits method {_METHODS[access]}",
            # A whole URL in place of a path might be taken apart in another way by the engine.
            "acl is_path url_beg /",
            *allowed,
            *_without_body(access),
            "http-request deny deny_status 403 unless method_fits is_path allowed",
            "http-request del-header Upgrade",
            # Only what was refused is worth a line.
            "http-request set-log-level silent",
            "default_backend engine",
        ),
        _section("backend engine", f"server engine unix@{SOCKET}"),
    )
    return "\n\n".join(parts) + "\n"


def _without_body(access: Access) -> tuple[str, ...]:
    """Who only reads sends nothing: what is no body cannot hide a second request."""
    if access == "write":
        return ()
    found = " || ".join(f"{{ req.hdr({name}) -m found }}" for name in ("content-length", "transfer-encoding"))
    return (f"http-request deny deny_status 403 if {found}",)


def _expression(path: str) -> str:
    return r"^(/v[0-9]+\.[0-9]+)?" + path.replace("{id}", _SEGMENT) + "$"


def _section(head: str, *lines: str) -> str:
    return "\n".join((head, *(f"    {line}" for line in lines)))
