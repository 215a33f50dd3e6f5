"""Swarm services: made, changed and removed with their tasks' well-being awaited."""

from __future__ import annotations

import docker
import docker.errors
import requests

from hermetic.providers import durations
from hermetic.providers.check import Values
from hermetic.providers.docker.connection import Connection, explanation, is_gone
from hermetic.providers.docker.converge import wait_created, wait_stopped, wait_updated
from hermetic.providers.docker.service_spec import service_spec
from hermetic.providers.docker.service_state import service_state, unchanged_parts_kept
from hermetic.providers.docker.wire import post
from hermetic.providers.driver import Driver, Operation, PartlyDoneError, ProviderError

_KILL_SECONDS = 30.0
_ATTEMPTS = 5


class ServiceDriver(Driver):
    """`docker.Service`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        with self._connection.client() as client:
            answer = post(client, "/services/create", service_spec(planned), headers=self._headers(planned))
            identity = str(answer["ID"])
            if converge := planned["convergeConfig"]:
                timeout = converge["timeout"]
                try:
                    wait_created(operation, client, identity, durations.seconds(timeout), _written(timeout))
                except (ProviderError, docker.errors.APIError, requests.exceptions.RequestException) as error:
                    self._take_back(operation, identity, planned, error)
                    raise
        return identity, self._read_back(operation, identity, planned)

    def _take_back(self, operation: Operation, identity: str, planned: Values, cause: Exception) -> None:
        """A service that did not converge goes; one that cannot be removed must at least be known."""
        try:
            self.delete(operation, identity, planned)
        except ProviderError as error:
            message = f"{cause}; it could not be removed again: {error}"
            raise PartlyDoneError(message, identity, planned) from cause

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation
        with self._connection.client() as client:
            try:
                found = client.inspect_service(identity)
            except docker.errors.NotFound:
                return None
        return state | service_state(found, state)

    def update(self, operation: Operation, identity: str, old: Values, planned: Values) -> Values:
        with self._connection.client() as client:
            self._replace_spec(client, identity, planned)
            if converge := planned["convergeConfig"]:
                timeout = converge["timeout"]
                try:
                    wait_updated(operation, client, identity, durations.seconds(timeout), _written(timeout))
                except ProviderError as error:
                    raise PartlyDoneError(str(error), identity, old) from error
        return self._read_back(operation, identity, planned)

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        grace = ((state.get("taskSpec") or {}).get("containerSpec") or {}).get("stopGracePeriod")
        seconds = durations.seconds(grace) if grace else 0.0
        with self._connection.client() as client:
            try:
                client.remove_service(identity)
            except docker.errors.APIError as error:
                if not is_gone(error):
                    raise
            if seconds:
                wait_stopped(operation, client, identity, seconds + _KILL_SECONDS)

    def _replace_spec(self, client: docker.APIClient, identity: str, planned: Values) -> None:
        """The swarm takes a spec only for the version it was read at, which its own bookkeeping may have raised."""
        for attempt in range(1, _ATTEMPTS + 1):
            found = client.inspect_service(identity)
            spec = unchanged_parts_kept(found, service_spec(planned))
            version = {"version": found["Version"]["Index"]}
            try:
                post(client, f"/services/{identity}/update", spec, version, self._headers(planned))
            except docker.errors.APIError as error:
                if "out of sequence" not in explanation(error) or attempt == _ATTEMPTS:
                    raise
            else:
                return

    def _headers(self, planned: Values) -> dict[str, str]:
        image = planned["taskSpec"]["containerSpec"]["image"]
        return {"X-Registry-Auth": self._connection.registry_auth(image, planned["auth"])}

    def _read_back(self, operation: Operation, identity: str, planned: Values) -> Values:
        state = self.read(operation, identity, planned)
        if state is None:
            raise ProviderError(f"service {planned['name']} vanished while it was made")
        return state


def _written(timeout: str) -> str:
    """A duration as the plugin prints it: Go's long form, `1m0s`."""
    length = durations.nanoseconds(timeout)
    minutes, rest = divmod(length, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    tail = durations.shortest(rest)
    return (f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else "") + tail
