"""`Job`: a service that runs once to its end. Its name is made of its content, so that a job which was started before
a crash is found and waited for, not run a second time."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from plugins.swarm.connection import connections_of
from plugins.swarm.daemon import DaemonError
from plugins.swarm.errors import SwarmError
from plugins.swarm.fields import (
    BOOLEAN,
    CONNECTION,
    TEXT,
    TEXTS,
    Change,
    Failure,
    Field,
    Fields,
    list_of,
    number,
    one_of,
    positive,
    record,
)
from plugins.swarm.managers import Managers, NoManagerError
from plugins.swarm.operation import Operation
from plugins.swarm.resource import Made, Old, Properties, Resource, Seen

if TYPE_CHECKING:
    import docker

NANO = 1_000_000_000
# The first version of Docker's API that knows jobs; older ones get a service that is never restarted.
JOBS_SINCE = (1, 41)
LOG_LINES = 20
LONGEST_NAME = 63
FAILED = frozenset({"failed", "rejected", "shutdown", "remove", "orphaned"})
Task = dict[str, Any]


MOUNTS = list_of(
    record(
        {
            "type": Field(one_of("volume", "bind", "tmpfs"), required=True),
            "target": Field(TEXT, required=True),
            "source": Field(TEXT),
            "readOnly": Field(BOOLEAN),
        }
    )
)


def _file(of: str) -> Fields:
    return {
        f"{of}Id": Field(TEXT, required=True),
        f"{of}Name": Field(TEXT, required=True),
        "fileName": Field(TEXT, required=True),
    }


class Job(Resource):
    """A one-shot service."""

    token: ClassVar[str] = "swarm:index:Job"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "managers": Field(list_of(CONNECTION, at_least=1), required=True, change=Change.NOTHING),
        "clusterId": Field(TEXT, required=True, change=Change.REPLACE),
        "image": Field(TEXT, required=True, change=Change.REPLACE),
        "command": Field(list_of(TEXT), change=Change.REPLACE),
        "args": Field(list_of(TEXT), change=Change.REPLACE),
        "env": Field(TEXTS, change=Change.REPLACE),
        "secrets": Field(list_of(record(_file("secret"))), change=Change.REPLACE),
        "configs": Field(list_of(record(_file("config"))), change=Change.REPLACE),
        "networks": Field(list_of(TEXT), change=Change.REPLACE),
        "mounts": Field(MOUNTS, change=Change.REPLACE),
        "constraints": Field(list_of(TEXT), change=Change.REPLACE),
        "memory": Field(number(4 * 1024 * 1024, unit=" bytes"), change=Change.REPLACE),
        "cpus": Field(positive("processors"), change=Change.REPLACE),
        "labels": Field(TEXTS, change=Change.REPLACE),
        "timeout": Field(number(1, unit=" seconds"), change=Change.NOTHING),
        "logLines": Field(number(0, 10_000), change=Change.NOTHING),
        "triggers": Field(TEXTS, change=Change.REPLACE),
    }
    computed: ClassVar[tuple[str, ...]] = ("exitCode", "logs", "output", "state", "nodeId")
    patience: ClassVar[float] = 600.0

    @override
    def refuse(self, olds: Properties, news: Properties) -> list[Failure]:
        mounts = news.get("mounts")
        return [
            Failure(f"mounts[{index}].source", f"mounts[{index}].source is required for a bind mount")
            for index, mount in enumerate(mounts if isinstance(mounts, list) else [])
            if isinstance(mount, dict) and mount.get("type") == "bind" and not mount.get("source")
        ]

    @override
    def create(self, operation: Operation, inputs: Properties) -> Made:
        managers = job_managers(operation, inputs)
        ended = run_to_end(operation, managers, service_name(operation.name, inputs), inputs)
        task, lines = ended.task, inputs.get("logLines", LOG_LINES)
        outputs = {
            "exitCode": _exit_code(task),
            "logs": ended.logs,
            "output": _logs(managers, ended.service_id, lines, errors=False),
            "state": task["Status"]["State"],
            "nodeId": task.get("NodeID", ""),
        }
        return Made(ended.service_id, {**inputs, **outputs})

    @override
    def read(self, operation: Operation, object_id: str, inputs: Properties, outputs: Properties) -> Seen | None:
        if not inputs:
            raise SwarmError(f"id is {object_id!r}: a job that ran cannot be imported; let it run by creating it")
        try:
            job_managers(operation, inputs).call(lambda client: client.inspect_service(object_id))
        except NoManagerError as error:
            if error.is_gone:
                return None
            raise
        except DaemonError as error:
            if error.not_found:
                return None
            raise
        return Seen(object_id, inputs, outputs)

    @override
    def update(self, operation: Operation, object_id: str, old: Old, news: Properties) -> Properties:
        """Only what is no change of the job gets here."""
        return {**old.outputs, **news}

    @override
    def delete(self, operation: Operation, object_id: str, properties: Properties) -> None:
        try:
            remove_service(job_managers(operation, properties), object_id)
        except NoManagerError as error:
            if not error.is_gone:
                raise


def service_name(resource_name: str, inputs: Mapping[str, Any]) -> str:
    """The resource's name and a hash of what the job is: the same job has the same name."""
    ways = ("managers", "timeout", "logLines")
    content = {key: value for key, value in inputs.items() if key not in ways}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", resource_name).strip("-_") or "job"
    return f"{stem[: LONGEST_NAME - len(digest) - 1]}-{digest}"


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that was done; its service is still there."""

    service_id: str
    task: Task
    logs: list[str]


def run_to_end(operation: Operation, managers: Managers, name: str, inputs: Properties) -> Ended:
    """Start the service `name`, or find it where it was started before, and wait until it has ended well; SwarmError
    with its last lines where it has not. A job that failed leaves nothing, so that the next update runs it again."""
    operation.progress(f"starting job {name}")
    service_id = managers.call(lambda client: _find_or_start(client, name, inputs))
    try:
        task = _wait(operation, managers, service_id)
        logs = _logs(managers, service_id, inputs.get("logLines", LOG_LINES))
        if task["Status"]["State"] != "complete":
            raise SwarmError(_failure(name, task, logs))
    except Exception:
        remove_service(managers, service_id)
        raise
    return Ended(service_id, task, logs)


def task_template(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The job as Docker's `TaskSpec`."""
    container: dict[str, Any] = {
        "Image": inputs["image"],
        "Command": inputs.get("command"),
        "Args": inputs.get("args"),
        "Env": [f"{name}={value}" for name, value in sorted((inputs.get("env") or {}).items())],
        "Labels": inputs.get("labels"),
        "Mounts": [_mount(one) for one in inputs.get("mounts") or []],
        "Secrets": [_reference("Secret", one) for one in inputs.get("secrets") or []],
        "Configs": [_reference("Config", one) for one in inputs.get("configs") or []],
        # A first process of its own reaps children and hands on the signal to end.
        "Init": True,
    }
    limits = {
        "MemoryBytes": inputs.get("memory"),
        "NanoCPUs": round(inputs["cpus"] * NANO) if inputs.get("cpus") else None,
    }
    return {
        "ContainerSpec": {key: value for key, value in container.items() if value},
        "Resources": {"Limits": {key: value for key, value in limits.items() if value}},
        "RestartPolicy": {"Condition": "none"},
        "Placement": {"Constraints": inputs.get("constraints") or []},
        "Networks": [{"Target": network} for network in inputs.get("networks") or []],
    }


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Type": mount["type"],
        "Target": mount["target"],
        "Source": mount.get("source") or "",
        "ReadOnly": bool(mount.get("readOnly")),
    }


def _reference(kind: str, file: Mapping[str, Any]) -> dict[str, Any]:
    lower = kind.lower()
    return {
        f"{kind}ID": file[f"{lower}Id"],
        f"{kind}Name": file[f"{lower}Name"],
        "File": {"Name": file["fileName"], "UID": "0", "GID": "0", "Mode": 0o444},
    }


def job_managers(operation: Operation, properties: Properties) -> Managers:
    """The managers that may be asked."""
    return Managers(operation, connections_of(properties, "managers"), properties["clusterId"])


def _find_or_start(client: "docker.APIClient", name: str, inputs: Properties) -> str:
    for service in client.services(filters={"name": name}):
        if service["Spec"]["Name"] == name:
            return service["ID"]
    version = tuple(int(part) for part in client.api_version.split("."))
    once = {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}
    mode = once if version >= JOBS_SINCE else {"Replicated": {"Replicas": 1}}
    created = client.create_service(task_template(inputs), name=name, labels=inputs.get("labels"), mode=mode)
    return created["ID"]


def _wait(operation: Operation, managers: Managers, service_id: str) -> Task:
    """The task when it has come to its end, good or bad."""
    told = [""]

    def ended() -> Task | None:
        tasks: list[Task] = managers.call(lambda client: client.tasks(filters={"service": service_id}))
        if not tasks:
            return None
        task = max(tasks, key=lambda one: one["CreatedAt"])
        state, trouble = task["Status"]["State"], task["Status"].get("Err") or ""
        told[0] = f"{state}: {trouble}" if trouble else state
        return task if state == "complete" or state in FAILED else None

    return operation.wait(ended, "the job to end", said=lambda: f"it is {told[0] or 'not placed yet'}")


def _logs(managers: Managers, service_id: str, lines: int, *, errors: bool = True) -> list[str]:
    """The last lines; without `errors` those of standard output alone."""

    def read(client: "docker.APIClient") -> bytes:
        # The engine counts lines of both before it leaves one out, so that a tail would lose results.
        tail = str(lines) if errors else "all"
        pieces: Any = client.service_logs(service_id, stdout=True, stderr=errors, follow=False, tail=tail)
        return pieces if isinstance(pieces, bytes) else b"".join(pieces)

    if not lines:
        return []
    text = managers.call(read).decode(errors="replace")
    return text.splitlines()[-lines:]


def _exit_code(task: Task) -> int | None:
    return (task["Status"].get("ContainerStatus") or {}).get("ExitCode")


def _failure(name: str, task: Task, logs: list[str]) -> str:
    status, code = task["Status"], _exit_code(task)
    how = f"exit code {code}" if code else status.get("Err") or status.get("Message") or "no reason given"
    last = "\n".join(["; its last lines:", *logs]) if logs else "; it wrote nothing"
    return f"job {name} {status['State']} ({how}){last}"


def remove_service(managers: Managers, service_id: str) -> None:
    """Remove a service; one that is gone is no error."""
    try:
        managers.call(lambda client: client.remove_service(service_id))
    except DaemonError as error:
        if not error.not_found:
            raise
