"""`Host`: a machine that answers. It holds nothing; it is the gate that everything on the machine waits at, and where a
host key is recorded at first contact."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from plugins.swarm.connection import Connection
from plugins.swarm.daemon import DaemonError
from plugins.swarm.errors import SwarmError
from plugins.swarm.fields import FIRST_CONNECTION, TEXT, TEXTS, Change, Field, Fields, number
from plugins.swarm.operation import Operation
from plugins.swarm.resource import Made, Old, Properties, Resource, Seen
from plugins.swarm.ssh import SshError
from plugins.swarm.values import UNKNOWN, is_known

# Absent or switched off is as good as done; `status` itself ends with an error status when cloud-init failed.
CLOUD_INIT = "if command -v cloud-init >/dev/null; then cloud-init status --long; else echo 'status: absent'; fi"
IP_VS = "test -e /proc/net/ip_vs || PATH=$PATH:/sbin:/usr/sbin modprobe -nq ip_vs"


class Host(Resource):
    """A machine that answers: SSH, cloud-init done, dockerd."""

    token: ClassVar[str] = "swarm:index:Host"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "connection": Field(FIRST_CONNECTION, required=True),
        "triggers": Field(TEXTS, change=Change.REPLACE),
        "requiredEngineVersion": Field(TEXT),
        "minimumMemory": Field(number(1, unit=" bytes")),
        "timeout": Field(number(1, unit=" seconds"), change=Change.NOTHING),
    }
    computed: ClassVar[tuple[str, ...]] = (
        *("connection", "hostname", "engineVersion"),
        *("architecture", "cpus", "memory", "ipvs"),
    )

    delete_first: ClassVar[bool] = False

    @override
    def foresee(self, old_outputs: Properties, news: Properties) -> Properties:
        old, new = old_outputs.get("connection") or {}, news["connection"]
        known = {name: old_outputs.get(name, UNKNOWN) for name in self.computed}
        if not is_known(new) or {**old, **new} != old:
            # Another endpoint, hence perhaps another machine; its key is known beforehand only when it was given.
            known = self.all_unknown()
            if is_known(new) and new.get("hostKey"):
                known["connection"] = Connection.of(new).properties()
        return known

    @override
    def create(self, operation: Operation, inputs: Properties) -> Made:
        outputs = self._wait(operation, inputs, Connection.of(inputs["connection"]))
        return Made(Connection.of(inputs["connection"]).url, outputs)

    @override
    def read(self, operation: Operation, object_id: str, inputs: Properties, outputs: Properties) -> Seen | None:
        if not inputs:
            connection = Connection.parse(object_id)
            inputs = {"connection": connection.properties()}
            found = self._facts(operation, self._known(operation, connection))
            return Seen(connection.url, {"connection": found["connection"]}, {**inputs, **found})
        try:
            found = self._facts(operation, Connection.of(outputs["connection"]))
        except (SshError, DaemonError) as error:
            # Its host key is worth keeping: a machine that is down now must show the same one when it is back.
            operation.warn(f"{object_id} does not answer, its entry is kept as it was: {error}")
            return Seen(object_id, inputs, outputs)
        return Seen(object_id, inputs, {**inputs, **found})

    @override
    def update(self, operation: Operation, object_id: str, old: Old, news: Properties) -> Properties:
        connection = Connection.of(news["connection"])
        known = old.outputs.get("connection") or {}
        if not connection.host_key and known and Connection.of(known).name == connection.name:
            connection = Connection(connection.address, connection.port, connection.user, Connection.of(known).host_key)
        return self._wait(operation, news, connection)

    def _wait(self, operation: Operation, inputs: Properties, connection: Connection) -> Properties:
        known = operation.wait(
            lambda: self._known(operation, connection), f"SSH on {connection.name}", tolerate=(SshError,)
        )
        operation.wait(
            lambda: _cloud_init_is_done(operation, known), f"cloud-init on {connection.name}", tolerate=(SshError,)
        )
        facts = operation.wait(
            lambda: self._facts(operation, known),
            f"dockerd on {connection.name}",
            tolerate=(SshError, DaemonError),
        )
        _satisfy(inputs, connection, facts)
        return {**inputs, **facts}

    def _known(self, operation: Operation, connection: Connection) -> Connection:
        """The connection with its host key, once the machine lets us in; a key that is not known yet is recorded."""
        if not connection.host_key:
            return record_host_key(operation, connection)
        operation.command(connection, operation.session.access.pinned(connection), ["true"])
        return connection

    def _facts(self, operation: Operation, connection: Connection) -> Properties:
        with operation.docker(connection) as client:
            info: dict[str, Any] = client.info()
            ipvs = operation.command(connection, operation.session.access.pinned(connection), ["sh", "-c", IP_VS])
        return {
            "connection": connection.properties(),
            "hostname": info["Name"],
            "engineVersion": info["ServerVersion"],
            "architecture": info["Architecture"],
            "cpus": info["NCPU"],
            "memory": info["MemTotal"],
            "ipvs": ipvs.status == 0,
        }


def record_host_key(operation: Operation, connection: Connection) -> Connection:
    """Log in and record the key that the machine showed in that very login."""
    with tempfile.TemporaryDirectory(prefix="first-contact-") as directory:
        known_hosts = Path(directory) / "known_hosts"
        trust = ("StrictHostKeyChecking=accept-new", "HashKnownHosts=no", "GlobalKnownHostsFile=/dev/null")
        words = [word for one in (*trust, f"UserKnownHostsFile={known_hosts}") for word in ("-o", one)]
        operation.command(connection, (*operation.session.access.options, *words), ["true"])
        lines = known_hosts.read_text().splitlines() if known_hosts.exists() else []
    if not lines:
        raise SshError(f"{connection.name}: ssh recorded no host key")
    kind, key = lines[0].split()[1:3]
    return Connection(connection.address, connection.port, connection.user, f"{kind} {key}")


def _cloud_init_is_done(operation: Operation, connection: Connection) -> bool:
    """Whether first boot is over; a failed one raises with cloud-init's own words."""
    told = operation.command(connection, operation.session.access.pinned(connection), ["sh", "-c", CLOUD_INIT])
    status, detail = read_cloud_init(told.stdout)
    if status == "error":
        raise SwarmError(
            f"cloud-init on {connection.name} ended in an error: {detail or told.stderr.strip()}; its log is "
            "/var/log/cloud-init.log on the machine; correct the user data and replace the machine"
        )
    if status in ("done", "degraded done", "disabled", "absent"):
        return True
    operation.progress(f"waiting for cloud-init on {connection.name}: {status or told.stderr.strip() or 'no status'}")
    return False


def read_cloud_init(text: str) -> tuple[str, str]:
    """Status and detail of what `cloud-init status --long` printed."""
    status, details, in_detail = "", list[str](), False
    for line in text.splitlines():
        key, separator, rest = line.partition(":")
        if separator and key in ("status", "boot_status_code", "extended_status", "last_update", "time", "errors"):
            in_detail = key == "errors"
            status = rest.strip() if key == "status" else status
        elif separator and key == "detail":
            in_detail = True
            details.append(rest.strip())
        elif in_detail:
            details.append(line.strip())
    return status, " ".join(part for part in details if part)


def _satisfy(inputs: Mapping[str, Any], connection: Connection, facts: Mapping[str, Any]) -> None:
    wanted, version = inputs.get("requiredEngineVersion"), str(facts["engineVersion"])
    if wanted and re.match(rf"{re.escape(wanted)}(?![0-9])", version) is None:
        raise SwarmError(
            f"requiredEngineVersion is {wanted!r} but {connection.name} runs Docker {version}: install the wanted one "
            "there (and hold its package), or change requiredEngineVersion"
        )
    least, memory = inputs.get("minimumMemory"), int(facts["memory"])
    if least and memory < least:
        raise SwarmError(
            f"minimumMemory is {least} bytes but {connection.name} has {memory}: give the machine more memory, "
            "or lower minimumMemory"
        )
