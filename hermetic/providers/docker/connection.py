"""The way from a docker provider's configuration to a daemon: opened when first needed, once per provider instance."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.tls
import requests

from hermetic.providers.check import Values
from hermetic.providers.driver import ProviderError
from hermetic.values import UNKNOWN
from plugins.swarm.ssh import DockerTunnel, SshError, connect_docker

_DEFAULT_HOST = "unix:///var/run/docker.sock"
_TIMEOUT = 60
_CONNECTIONS = 64


class Connection:
    """One provider instance's daemon and registry credentials. Safe to use from many threads."""

    def __init__(self) -> None:
        self._configuration: Values = {}
        self._lock = threading.RLock()
        self._tunnel: DockerTunnel | None = None
        self._probed = False

    @property
    def host(self) -> str:
        return str(self._configuration.get("host") or os.environ.get("DOCKER_HOST") or _DEFAULT_HOST)

    def configure(self, configuration: Values) -> None:
        self._configuration = decoded(configuration)

    def probe(self) -> None:
        """Ask a unix or tcp daemon once whether it is there, as the plugin does in a preview; never one over SSH."""
        with self._lock:
            if self._probed or self.host.startswith("ssh://") or self._configuration.get("disableDockerDaemonCheck"):
                return
            with self.client() as client:
                client.ping()
            self._probed = True

    @contextmanager
    def client(self) -> Generator[docker.APIClient]:
        """The daemon's client; failures of the way there and refusals of the daemon become ProviderError."""
        client = self._open()
        try:
            yield client
        except docker.errors.APIError as error:
            raise ProviderError(explanation(error)) from error
        except requests.exceptions.ConnectionError as error:
            self._forget(client)
            raise ProviderError(f"failed to connect to the Docker daemon at {self.host}: {error}") from error
        except requests.exceptions.Timeout as error:
            raise ProviderError(f"the Docker daemon at {self.host} did not answer in {_TIMEOUT} s") from error

    def close(self) -> None:
        with self._lock:
            if self._tunnel:
                self._tunnel.close()
            self._tunnel = None

    def registry_auth(self, image: str, override: Mapping[str, Any] | None = None) -> str:
        """The X-Registry-Auth header for an image: the resource's own `auth`, else the provider's for that registry."""
        registry = registry_of(image)
        if override:
            return _header(override.get("serverAddress", registry), override.get("username"), override.get("password"))
        for entry in self._configuration.get("registryAuth") or []:
            if _registry_key(entry.get("address", "")) == registry and not entry.get("authDisabled"):
                username, password = entry.get("username"), entry.get("password")
                if not username:
                    username, password = _from_docker_config(entry, registry)
                return _header(entry["address"], username, password)
        return _header("", None, None)

    def _open(self) -> docker.APIClient:
        with self._lock:
            if self._tunnel is not None and not self._tunnel.alive:
                self.close()
            if self._tunnel is None:
                try:
                    self._tunnel = self._connect()
                except (SshError, docker.errors.DockerException, requests.exceptions.RequestException) as error:
                    raise ProviderError(f"failed to connect to the Docker daemon at {self.host}: {error}") from error
            return self._tunnel.client

    def _connect(self) -> DockerTunnel:
        tls = self._tls()
        if tls is None:
            return connect_docker(self.host, self._configuration.get("sshOpts") or [], _TIMEOUT)
        client = docker.APIClient(self.host, timeout=_TIMEOUT, tls=tls, max_pool_size=_CONNECTIONS)
        return DockerTunnel(self.host, client)

    def _tls(self) -> docker.tls.TLSConfig | None:
        folder = self._configuration.get("certPath")
        if not folder:
            return None
        path = Path(folder)
        return docker.tls.TLSConfig(
            client_cert=(str(path / "cert.pem"), str(path / "key.pem")), ca_cert=str(path / "ca.pem"), verify=True
        )

    def _forget(self, client: docker.APIClient) -> None:
        """The next operation opens the way anew; one that others have opened since stays."""
        with self._lock:
            if self._tunnel and self._tunnel.client is client:
                self.close()


def decoded(configuration: Values) -> Values:
    """Provider configuration with its nested values, which SDKs send as JSON text, as values."""
    read: Values = {}
    for name, value in configuration.items():
        nested = isinstance(value, str) and name in ("registryAuth", "sshOpts", "disableDockerDaemonCheck") and value
        # In a preview the text can be one that is not known yet.
        read[name] = json.loads(value) if nested and value != UNKNOWN else value
    return read


def explanation(error: docker.errors.APIError) -> str:
    """The daemon's own words."""
    return str(error.explanation or error)


def is_gone(error: docker.errors.APIError) -> bool:
    return isinstance(error, docker.errors.NotFound)


def registry_of(image: str) -> str:
    """The registry that an image's name points to: `127.0.0.1:5000/nginx@sha256:...` to 127.0.0.1:5000."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def _registry_key(address: str) -> str:
    bare = address.removeprefix("https://").removeprefix("http://").split("/")[0]
    return "docker.io" if bare in ("index.docker.io", "registry-1.docker.io", "docker.io") else bare


def _header(address: str, username: str | None, password: str | None) -> str:
    content = {"username": username, "password": password, "serveraddress": address} if username else {}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _from_docker_config(entry: Mapping[str, Any], registry: str) -> tuple[str | None, str | None]:
    text = entry.get("configFileContent")
    if not text:
        path = Path(entry.get("configFile") or "~/.docker/config.json").expanduser()
        if not path.exists():
            return None, None
        text = path.read_text()
    for address, login in json.loads(text).get("auths", {}).items():
        if _registry_key(address) == registry and login.get("auth"):
            username, _, password = base64.b64decode(login["auth"]).decode().partition(":")
            return username, password
    return None, None
