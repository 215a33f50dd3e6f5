"""Networks, volumes, secrets and configs: resources that are made once and replaced when they change."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import docker
import docker.errors

from hermetic.providers.check import Values
from hermetic.providers.docker.connection import Connection, explanation, is_gone
from hermetic.providers.docker.pieces import given, label_map, label_set
from hermetic.providers.driver import Driver, Operation, ProviderError

_IN_USE = ("in use", "has active endpoints", "is in use by")
_RELEASE_SECONDS = 60.0
_ALLOCATION_SECONDS = 30.0
_ACCEPTED = (400, 403, 409, 500)


class NetworkDriver(Driver):
    """`docker.Network`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        with self._connection.client() as client:
            answer = client.create_network(
                planned["name"],
                driver=planned["driver"] or "bridge",
                options=planned["options"],
                ipam=_ipam(planned),  # pyright: ignore[reportArgumentType]  the SDK takes any mapping of the API's form
                check_duplicate=True,
                internal=bool(planned["internal"]),
                labels=label_map(planned["labels"]) or None,
                enable_ipv6=bool(planned["ipv6"]),
                attachable=planned["attachable"],
                ingress=planned["ingress"],
            )
            identity = str(answer["Id"])
            # A swarm gives an overlay network its driver and addresses only after it has answered.
            operation.wait_until(
                lambda: bool(client.inspect_network(identity)["Driver"]),
                f"the swarm to give network {planned['name']} its addresses",
                _ALLOCATION_SECONDS,
            )
        return identity, self.read(operation, identity, planned) or planned

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation
        with self._connection.client() as client:
            found = _found(lambda: client.inspect_network(identity))
        if found is None:
            return None
        ipam = found.get("IPAM") or {}
        return state | {
            "name": found["Name"],
            "labels": label_set(found.get("Labels")),
            "driver": found["Driver"],
            "scope": found["Scope"],
            "internal": found["Internal"],
            "attachable": found["Attachable"],
            "ingress": found["Ingress"],
            "ipv6": found["EnableIPv6"],
            "options": found.get("Options") or {},
            "ipamDriver": ipam.get("Driver", "default"),
            "ipamOptions": ipam.get("Options") or {},
            "ipamConfigs": [_ipam_state(config) for config in ipam.get("Config") or []],
        }

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        del state
        with self._connection.client() as client:
            _remove_when_free(operation, f"network {identity}", lambda: client.remove_network(identity))


def _ipam(planned: Values) -> dict[str, Any]:
    configs = [
        given(
            Subnet=config.get("subnet") or None,
            IPRange=config.get("ipRange") or None,
            Gateway=config.get("gateway") or None,
            AuxiliaryAddresses=config.get("auxAddress") or None,
        )
        for config in planned["ipamConfigs"] or []
    ]
    return given(Driver=planned["ipamDriver"] or "default", Options=planned["ipamOptions"], Config=configs or None)


def _ipam_state(config: dict[str, Any]) -> Values:
    return {
        "subnet": config.get("Subnet", ""),
        "gateway": config.get("Gateway", ""),
        "ipRange": config.get("IPRange", ""),
        "auxAddress": config.get("AuxiliaryAddresses") or {},
    }


class VolumeDriver(Driver):
    """`docker.Volume`; its id is its name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        if planned["cluster"]:
            raise ProviderError(
                "volume.cluster is not supported by this engine's stand-in; use a volume plugin's driver"
            )
        with self._connection.client() as client:
            client.create_volume(
                planned["name"], planned["driver"], planned["driverOpts"], label_map(planned["labels"]) or None
            )
        return planned["name"], self.read(operation, planned["name"], planned) or planned

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation
        with self._connection.client() as client:
            found = _found(lambda: client.inspect_volume(identity))
        if found is None:
            return None
        return state | {
            "name": found["Name"],
            "driver": found["Driver"],
            "driverOpts": found.get("Options") or {},
            "labels": label_set(found.get("Labels")),
            "mountpoint": found["Mountpoint"],
            "cluster": None,
        }

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        del state
        with self._connection.client() as client:
            _remove_when_free(operation, f"volume {identity}", lambda: client.remove_volume(identity))


class SecretDriver(Driver):
    """`docker.Secret`; the daemon never gives its data back, so that the state's own is kept."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        data = base64.b64decode(planned["data"])
        with self._connection.client() as client:
            identity = client.create_secret(planned["name"], data, labels=label_map(planned["labels"]))["ID"]
        return identity, self.read(operation, identity, planned) or planned

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation
        with self._connection.client() as client:
            found = _found(lambda: client.inspect_secret(identity))
        if found is None:
            return None
        return state | {"name": found["Spec"]["Name"], "labels": label_set(found["Spec"].get("Labels"))}

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        del state
        with self._connection.client() as client:
            _remove_when_free(operation, f"secret {identity}", lambda: client.remove_secret(identity))


class ServiceConfigDriver(Driver):
    """`docker.ServiceConfig`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        raw = planned["dataRaw"]
        data = raw.encode() if raw is not None else base64.b64decode(planned["data"])
        with self._connection.client() as client:
            identity = client.create_config(planned["name"], data, label_map(planned["labels"]))["ID"]
        return identity, self.read(operation, identity, planned) or planned

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation
        with self._connection.client() as client:
            found = _found(lambda: client.inspect_config(identity))
        if found is None:
            return None
        data = found["Spec"].get("Data", "")
        raw = state.get("dataRaw") is not None
        return state | {
            "name": found["Spec"]["Name"],
            "labels": label_set(found["Spec"].get("Labels")),
            "data": None if raw else data,
            "dataRaw": base64.b64decode(data).decode(errors="replace") if raw else None,
        }

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        del state
        with self._connection.client() as client:
            _remove_when_free(operation, f"config {identity}", lambda: client.remove_config(identity))


def _found(inspect: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return inspect()
    except docker.errors.NotFound:
        return None


def _remove_when_free(operation: Operation, what: str, remove: Callable[[], object]) -> None:
    """Remove what the last task or endpoint may only now be leaving: asked again while the daemon says it is in use."""
    refusal: list[str] = []

    def removed() -> bool:
        try:
            remove()
        except docker.errors.APIError as error:
            if is_gone(error):
                return True
            refusal[:] = [explanation(error)]
            if error.status_code in _ACCEPTED and any(word in refusal[0] for word in _IN_USE):
                operation.progress(f"waiting: {refusal[0]}")
                return False
            raise
        return True

    try:
        operation.wait_until(removed, f"{what} to be released", _RELEASE_SECONDS, pause=0.5)
    except ProviderError as error:
        raise ProviderError(f"{error}: {refusal[0]}") if refusal else error from None
