"""Containers: made with their networks and files in place before they start, and not called made until they run."""

from __future__ import annotations

import base64
import io
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from hermetic.providers.check import Values
from hermetic.providers.docker.connection import Connection, explanation, is_gone
from hermetic.providers.docker.container_spec import container_config, endpoint_config
from hermetic.providers.docker.container_state import container_state
from hermetic.providers.docker.image import ensure_image
from hermetic.providers.docker.wire import post
from hermetic.providers.driver import Driver, Operation, PartlyDoneError, ProviderError

_LAST_LINES = 20
_STEADY_SECONDS = 0.5
_REMOVAL_SECONDS = 120.0
_MEBIBYTE = 1024 * 1024


class ContainerDriver(Driver):
    """`docker.Container`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        image, platform = planned["image"], planned["platform"]
        with self._connection.client() as client:
            ensure_image(operation, client, image, platform, self._connection.registry_auth(image))
            config = container_config(planned)
            answer = client.create_container_from_config(config, planned["name"], platform)
            identity = str(answer["Id"])
            try:
                self._bring_up(operation, client, identity, planned)
            except (ProviderError, docker.errors.APIError, requests.exceptions.RequestException) as error:
                reason = explanation(error) if isinstance(error, docker.errors.APIError) else str(error)
                message = f"container {planned['name']}: {reason}"
                try:
                    self.delete(operation, identity, planned)
                except ProviderError as left:
                    also = f"{message}; it could not be removed again: {left}"
                    raise PartlyDoneError(also, identity, planned) from error
                raise ProviderError(message) from error
        return identity, self._read_back(operation, identity, planned)

    def _bring_up(self, operation: Operation, client: docker.APIClient, identity: str, planned: Values) -> None:
        for network in planned["networksAdvanced"][1:]:
            client.connect_container_to_network(identity, network["name"], **_endpoint_arguments(network))
        if planned["uploads"]:
            client.put_archive(identity, "/", _archive(planned["uploads"]))
        if not planned["start"]:
            return
        client.start(identity)
        if planned["attach"]:
            client.wait(identity, timeout=int(operation.left) or 1)
        elif planned["mustRun"]:
            _expect_running(operation, client, identity, planned)
        if planned["wait"]:
            _expect_healthy(operation, client, identity, planned["waitTimeout"])

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation
        with self._connection.client() as client:
            try:
                found = client.inspect_container(identity)
            except docker.errors.NotFound:
                return None
            read = state | container_state(found, state)
            if state.get("attach") and state.get("logs") and not found["State"]["Running"]:
                read["containerLogs"] = client.logs(identity).decode(errors="replace")
        return read

    def update(self, operation: Operation, identity: str, old: Values, planned: Values) -> Values:
        with self._connection.client() as client:
            changes = _updates(old, planned)
            if changes:
                post(client, f"/containers/{identity}/update", changes)
            running = client.inspect_container(identity)["State"]["Running"]
            if planned["mustRun"] and planned["start"] and not running:
                client.start(identity)
                try:
                    _expect_running(operation, client, identity, planned)
                except ProviderError as error:
                    raise PartlyDoneError(str(error), identity, old) from error
        return self._read_back(operation, identity, planned)

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        with self._connection.client() as client:
            _remove(operation, client, identity, state)

    def _read_back(self, operation: Operation, identity: str, planned: Values) -> Values:
        state = self.read(operation, identity, planned)
        if state is None:
            raise ProviderError(f"container {planned['name']} vanished right after it was made")
        return state


def _endpoint_arguments(network: Mapping[str, Any]) -> dict[str, Any]:
    config = endpoint_config(network)
    ipam = config.get("IPAMConfig") or {}
    return {
        "aliases": config.get("Aliases"),
        "ipv4_address": ipam.get("IPv4Address"),
        "ipv6_address": ipam.get("IPv6Address"),
        "link_local_ips": ipam.get("LinkLocalIPs"),
        "driver_opt": config.get("DriverOpts"),
        "mac_address": config.get("MacAddress"),
    }


def _archive(uploads: list[Values]) -> bytes:
    """The files as one tar, owned by root; what a file does not say is readable by all and written by root."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for upload in uploads:
            data = _content(upload)
            entry = tarfile.TarInfo(upload["file"].lstrip("/"))
            entry.size = len(data)
            default = "0744" if upload.get("executable") else "0644"
            entry.mode = int(upload.get("permissions") or default, 8)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def _content(upload: Values) -> bytes:
    given = [name for name in ("content", "contentBase64", "source") if upload.get(name)]
    if len(given) > 1:
        message = f"upload of {upload['file']} has {' and '.join(given)}: give only one of them"
        raise ProviderError(message)
    match given:
        case ["contentBase64"]:
            return base64.b64decode(upload["contentBase64"])
        case ["source"]:
            return Path(upload["source"]).read_bytes()
        case _:
            return str(upload.get("content") or "").encode()


def _expect_running(operation: Operation, client: docker.APIClient, identity: str, planned: Values) -> None:
    """It must run, and still do so a moment later: a command that ends at once is seen running too, now and then."""
    started, since = "", time.monotonic()

    def running() -> bool:
        nonlocal started, since
        state = client.inspect_container(identity)["State"]
        if state["Status"] in ("exited", "dead"):
            lines = client.logs(identity, tail=_LAST_LINES).decode(errors="replace").strip()
            said = f"; its last lines: {lines}" if lines else f"; {state['Error'] or 'it wrote nothing'}"
            raise ProviderError(f"container exited immediately with code {state['ExitCode']}{said}")
        if state["StartedAt"] != started:
            started, since = state["StartedAt"], time.monotonic()
        steady = time.monotonic() - since >= _STEADY_SECONDS
        return bool(state["Running"]) and not state["Restarting"] and steady

    seconds = planned["containerReadRefreshTimeoutMilliseconds"] / 1000
    operation.wait_until(running, "the container to run", seconds)


def _expect_healthy(operation: Operation, client: docker.APIClient, identity: str, seconds: float) -> None:
    health: dict[str, Any] = {}

    def healthy() -> bool:
        state = client.inspect_container(identity)["State"]
        health.clear()
        health.update(state.get("Health") or {"Status": "none"})
        if health["Status"] == "none":
            raise ProviderError("wait is true, but neither the container nor its image has a healthcheck")
        operation.progress(f"waiting for the container to be healthy: {health['Status']}")
        return health["Status"] == "healthy"

    try:
        operation.wait_until(healthy, "the container to be healthy", seconds)
    except ProviderError as error:
        outputs = [entry.get("Output", "").strip() for entry in health.get("Log") or []]
        raise ProviderError(f"{error}; its last check said: {outputs[-1]}") if outputs else error from None


def _updates(old: Values, planned: Values) -> dict[str, Any]:
    """What the API can change on a living container, when it differs: all of it together, as the API wants it."""
    names = ("cpuShares", "cpuSet", "cpuPeriod", "cpuQuota", "memory", "memorySwap", "memoryReservation", "restart")
    names += ("maxRetryCount",)
    if all((old.get(name) or None) == (planned.get(name) or None) for name in names):
        return {}
    memory, swap = planned["memory"] or 0, planned["memorySwap"] or 0
    return {
        "CpuShares": planned["cpuShares"] or 0,
        "CpusetCpus": planned["cpuSet"] or "",
        "CpuPeriod": planned["cpuPeriod"] or 0,
        "CpuQuota": planned["cpuQuota"] or 0,
        "Memory": memory * _MEBIBYTE,
        "MemorySwap": swap if swap < 0 else swap * _MEBIBYTE,
        "MemoryReservation": (planned["memoryReservation"] or 0) * _MEBIBYTE,
        "RestartPolicy": {"Name": planned["restart"], "MaximumRetryCount": planned["maxRetryCount"] or 0},
    }


def _remove(operation: Operation, client: docker.APIClient, identity: str, state: Values) -> None:
    grace = state.get("destroyGraceSeconds")
    try:
        if grace:
            client.stop(identity, timeout=grace)
        client.remove_container(identity, v=bool(state.get("removeVolumes")), force=True)
    except docker.errors.APIError as error:
        if not is_gone(error) and "already in progress" not in explanation(error):
            raise

    def removed() -> bool:
        try:
            client.inspect_container(identity)
        except docker.errors.NotFound:
            return True
        return False

    operation.wait_until(removed, f"container {identity[:12]} to be removed", _REMOVAL_SECONDS)
