"""`Mount`: the file system of a block volume that a cloud attached to a machine, mounted there now and at every start.
The work is done on the machine by `remote_mount.py`, which goes there with every request: it is asked again until done.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from plugins.swarm.connection import Connection, is_nobody_there
from plugins.swarm.errors import DeadlineError, HalfMadeError, SwarmError
from plugins.swarm.fields import (
    CONNECTION,
    TEXTS,
    Change,
    Failure,
    Field,
    Fields,
    list_of,
    matching,
    number,
)
from plugins.swarm.operation import Operation, WrongHostKeyError
from plugins.swarm.resource import Made, Old, Properties, Resource, Seen
from plugins.swarm.ssh import Finished, SshError

PROGRAM = Path(__file__).with_name("remote_mount.py")
# So long one run is waited for, then it is asked anew how far it is: it works on, and says so.
LONGEST_RUN = 60.0
# A machine that starts anew refuses connections for less than this.
GONE_AFTER = 60.0
SERIAL = r"vol-[0-9a-f]{8,17}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# No part that begins with a dot, and nothing that /etc/fstab has to write otherwise.
PATH = r"(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+"
OURS = frozenset({"auto", "noauto", "nofail", "remount", "bind", "rbind", "move", "loop"})


class Mount(Resource):
    """A volume's file system, mounted."""

    token: ClassVar[str] = "swarm:index:Mount"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "connection": Field(CONNECTION, required=True, change=Change.NOTHING),
        "serial": Field(
            matching(SERIAL, "the id of an EBS volume (vol-0abc…) or of a Cinder volume (a UUID)"),
            required=True,
            change=Change.REPLACE,
        ),
        "path": Field(
            matching(PATH, "an absolute path such as /srv/data, of letters, digits and . _ -"),
            required=True,
            change=Change.REPLACE,
        ),
        "options": Field(
            list_of(matching(r"[a-z][A-Za-z0-9_.:=/-]*", "one option of mount such as noatime")),
            default=["nodev", "nosuid"],
        ),
        "sizeGib": Field(number(1, unit=" GiB")),
        "deviceName": Field(
            matching(r"/dev/(?:sd|xvd)[a-z]{1,2}", "what the volume is attached as, such as /dev/sdf"),
            change=Change.NOTHING,
        ),
        "triggers": Field(TEXTS, change=Change.REPLACE),
        "timeout": Field(number(1, unit=" seconds"), change=Change.NOTHING),
    }
    computed: ClassVar[tuple[str, ...]] = ("path", "device", "uuid", "formatted")
    stable: ClassVar[tuple[str, ...]] = ("path", "uuid", "formatted")

    @override
    def refuse(self, olds: Properties, news: Properties) -> list[Failure]:
        options = news.get("options")
        return [
            Failure(f"options[{index}]", f"options[{index}] is {option!r}: this is not yours to set; leave it out")
            for index, option in enumerate(options if isinstance(options, list) else [])
            if isinstance(option, str) and (option in OURS or option.startswith("x-"))
        ]

    @override
    def foresee(self, old_outputs: Properties, news: Properties) -> Properties:
        return {**super().foresee(old_outputs, news), "path": news["path"]}

    @override
    def create(self, operation: Operation, inputs: Properties) -> Made:
        object_id = f"{inputs['serial']}:{inputs['path']}"
        run = _Run(operation, inputs)
        try:
            return Made(object_id, {**inputs, **run.mount()})
        except SwarmError as error:
            if run.mounted is None:
                raise
            raise HalfMadeError(str(error), object_id, {**inputs, **run.mounted}) from error

    @override
    def read(self, operation: Operation, object_id: str, inputs: Properties, outputs: Properties) -> Seen | None:
        if not inputs:
            raise SwarmError(
                f"id is {object_id!r}: a Mount is found by its serial, there is nothing to import; create it: what is "
                "mounted already stays as it is"
            )
        try:
            told = _Run(operation, inputs).look()
        except (SshError, WrongHostKeyError) as error:
            operation.warn(f"{object_id} keeps its entry as it was: its machine does not answer: {error}")
            return Seen(object_id, inputs, outputs)
        if not told["mounted"]:
            operation.warn(f"{object_id} is not mounted ({told['why']}): the next `pulumi up` mounts it")
            return None
        seen = {**inputs, "options": told["options"]}
        return Seen(object_id, seen, {**outputs, **seen, "device": told["device"], "uuid": told["uuid"]})

    @override
    def update(self, operation: Operation, object_id: str, old: Old, news: Properties) -> Properties:
        told = _Run(operation, news, old.outputs.get("uuid", "")).mount()
        return {**news, **told, "formatted": old.outputs.get("formatted", False)}

    @override
    def delete(self, operation: Operation, object_id: str, properties: Properties) -> None:
        try:
            _Run(operation, properties).unmount()
        except (DeadlineError, WrongHostKeyError) as error:
            raise SwarmError(
                f"{error}: nothing of {object_id} was taken away. Stop what uses it and run again; if its machine is "
                "gone for good, take this resource out of the state (`pulumi state delete`)"
            ) from error


class _Run:
    """The machine's program, asked for one volume until it is done. With `uuid`, the file system that the volume is
    known to have, nothing is formatted; `mounted` is what is known of a volume that got mounted, whatever follows."""

    def __init__(self, operation: Operation, inputs: Properties, uuid: str = "") -> None:
        self._operation = operation
        self._connection = Connection.of(inputs["connection"])
        self._request = {
            "serial": inputs["serial"],
            "path": inputs["path"],
            "options": inputs.get("options") or [],
            "device_name": inputs.get("deviceName") or "",
            "size_gib": inputs.get("sizeGib") or 0,
            "uuid": uuid,
        }
        self._not_yet = ""
        self._refusing_since: float | None = None
        self.mounted: Properties | None = None

    def mount(self) -> Properties:
        """The outputs."""
        told = self._until_done("mount", lambda: self._answer("mount"))
        self._keep(told)
        assert self.mounted is not None, "it was kept just now"
        return self.mounted

    def look(self) -> Properties:
        """What is there, by one question."""
        told = self._answer("look")
        assert told is not None, "a look waits for nothing"
        return told

    def unmount(self) -> None:
        """Unmount; a machine that is gone took the mount along."""
        self._until_done("unmount", self._unmounted_or_gone)

    def _until_done(self, action: str, look: Any) -> Properties:
        what = f"volume {self._request['serial']} to be {action}ed on {self._connection.name}"
        told = self._operation.wait(look, what, said=lambda: self._not_yet, tolerate=(SshError,))
        for note in told.get("notes", []):
            self._operation.warn(f"{self._connection.name}: {note}")
        return told

    def _unmounted_or_gone(self) -> Properties | None:
        try:
            told = self._answer("unmount")
        except SshError as error:
            if not is_nobody_there(str(error)):
                raise
            now = time.monotonic()
            self._refusing_since = self._refusing_since or now
            if now - self._refusing_since < GONE_AFTER:
                raise
            return {"notes": [f"nothing listens there any more: {self._request['path']} is gone with the machine"]}
        self._refusing_since = None
        return told

    def _answer(self, action: str) -> Properties | None:
        """The program's result, None when it is to be asked again; its refusal is raised."""
        operation, connection = self._operation, self._connection
        sudo = [] if connection.user == "root" else ["sudo", "-n"]
        argv = [*sudo, "python3", "-I", "-", json.dumps({"action": action, **self._request})]
        pinned = operation.session.access.pinned(connection)
        done = operation.command(connection, pinned, argv, input=PROGRAM.read_text(), seconds=LONGEST_RUN)
        answer = _read(connection, done)
        if answer.get("mounted"):
            self._keep(answer["mounted"])
        if "refused" in answer:
            raise SwarmError(f"{connection.name}: {answer['refused']}")
        self._not_yet = answer.get("notYet", "")
        return answer.get("result")

    def _keep(self, told: Mapping[str, Any]) -> None:
        # An earlier question of this operation may have formatted it, and waited for something else then.
        formatted = told["formatted"] or (self.mounted or {}).get("formatted", False)
        self.mounted = {"device": told["device"], "uuid": told["uuid"], "formatted": formatted}


def _read(connection: Connection, done: Finished) -> Properties:
    """The program's one line; without it, what kept the program from saying something."""
    lines, words = done.stdout.strip().splitlines(), done.stderr.strip().splitlines()
    if done.status == 0 and lines and lines[-1].startswith("{"):
        return json.loads(lines[-1])
    said = words[-1] if words else f"exit status {done.status}"
    if done.status == 127:
        raise SwarmError(f"{connection.name}: {said}: install python3 (and sudo, for a user other than root) there")
    if said.startswith("sudo:"):
        raise SwarmError(
            f"connection.user is {connection.user}, who may not become root on {connection.name} without a password "
            f"({said}): log in as another user, or allow it in sudoers (NOPASSWD)"
        )
    raise SwarmError(f"{connection.name}: the program that mounts volumes failed: {said}")
