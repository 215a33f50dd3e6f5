"""What the engine does not have is refused in words, never ignored."""

from pathlib import Path
from typing import Any

import grpc
import pytest

from hermetic.monitor import ResourceMonitor
from hermetic.protocol import callback_pb2, resource_pb2
from hermetic.requests import RequestError, goal_of


class RefusedError(Exception):
    """What a call ended with."""


class Call:
    """The server's side of a call, which ends only in refusals."""

    def abort(self, code: grpc.StatusCode, words: str) -> None:
        assert code is grpc.StatusCode.UNIMPLEMENTED
        raise RefusedError(words)


Request = resource_pb2.RegisterResourceRequest


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(remote=True), "components of another language"),
        (Request(packageRef="reference"), "parameterized packages"),
        (Request(envVarMappings={"FROM": "TO"}), "env_var_mappings"),
        (Request(state_migrations=[callback_pb2.Callback(token="token")]), "state_migrations"),
        (Request(pluginChecksums={"linux-amd64": b"sum"}), "plugin checksums"),
        (Request(hooks=Request.ResourceHooksBinding(on_error=["hook"])), "error hooks"),
    ],
)
def test_a_field_of_a_registration_that_is_not_supported_is_refused(
    request_: Request, words: str, tmp_path: Path
) -> None:
    request_.name = "a"
    with pytest.raises(RequestError, match=f"a: the hermetic engine does not support {words}"):
        goal_of(request_, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("method", "request_", "words"),
    [
        ("Call", resource_pb2.ResourceCallRequest(tok="p:index:T/m"), r"calling methods of resources \(p:index:T/m\)"),
        ("RegisterPackage", resource_pb2.RegisterPackageRequest(name="p"), r"parameterized packages \(p\)"),
        ("RegisterStackInvokeTransform", callback_pb2.Callback(), "transforms of invokes"),
        ("RegisterErrorHook", resource_pb2.RegisterErrorHookRequest(name="h"), r"error hooks \(h\)"),
        ("ExistsResource", resource_pb2.ExistsResourceRequest(type="p:index:T"), "asking whether a resource exists"),
    ],
)
def test_a_method_of_the_monitor_that_is_not_supported_is_refused(method: str, request_: Any, words: str) -> None:
    monitor = ResourceMonitor.__new__(ResourceMonitor)  # refusals need nothing of it
    with pytest.raises(RefusedError, match=f"does not support {words}"):
        getattr(monitor, method)(request_, Call())


def test_a_parameterized_package_is_refused_where_something_is_read_or_called() -> None:
    monitor = ResourceMonitor.__new__(ResourceMonitor)
    for work, request in (
        (monitor._read, resource_pb2.ReadResourceRequest(name="a", packageRef="reference")),
        (monitor._invoke, resource_pb2.ResourceInvokeRequest(tok="p:index:f", packageRef="reference")),
    ):
        with pytest.raises(RequestError, match="does not support parameterized packages"):
            work(request)
