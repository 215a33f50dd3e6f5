"""What every stand-in does on the wire: configuration, unknowns, secrets, names, half-made resources."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from hermetic.providers.driver import CancelledError, Driver, Operation, Package, PartlyDoneError, ProviderError
from hermetic.providers.rules import Rules, paths
from hermetic.providers.servicer import Server, Servicer
from hermetic.values import UNKNOWN, from_struct, secret, to_struct

if TYPE_CHECKING:
    from hermetic.providers.check import Values
    from tests.unit.providers.conftest import Start

NETWORK, VOLUME = "docker:index/network:Network", "docker:index/volume:Volume"
PASSWORD, IDENTITY = "random:index/randomPassword:RandomPassword", "random:index/randomId:RandomId"


class Stubborn(Driver):
    """Fails as it is told to."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        raise self.failure

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        raise self.failure

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        operation.wait_until(lambda: False, "nothing", 60)


def failing(failure: Exception) -> Package:
    rules = Rules(resource_type=VOLUME, computed=paths("mountpoint"))
    return Package("docker", "0", {VOLUME: (rules, Stubborn(failure))}, lambda _: [], print, print, print)


@pytest.fixture(name="failing_create")
def failing_create_fixture() -> Any:
    servers: list[Server] = []

    def create(failure: Exception) -> grpc.RpcError:
        servers.append(Server(Servicer(failing(failure))))
        channel = grpc.insecure_channel(servers[-1].address)
        from pulumi.runtime.proto import provider_pb2_grpc

        stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
        request = provider_pb2.CreateRequest(urn=f"urn:pulumi:a::b::{VOLUME}::c", properties=to_struct({"name": "n"}))
        with pytest.raises(grpc.RpcError) as caught:
            stub.Create(request)
        return caught.value

    yield create
    for server in servers:
        server.stop()


def test_a_half_made_resource_comes_with_its_id_and_state(failing_create: Any) -> None:
    error = failing_create(PartlyDoneError("it does not answer", "the-id", {"name": "n", "mountpoint": "/m"}))
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    found = provider_pb2.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(details).details[0].Unpack(found)
    assert found.id == "the-id"
    assert list(found.reasons) == ["it does not answer"]
    assert from_struct(found.properties) == {"name": "n", "mountpoint": "/m"}
    assert from_struct(found.inputs) == {"name": "n"}


@pytest.mark.parametrize("failure", [ProviderError("the disk is full"), RuntimeError("the disk is full")])
def test_an_error_is_a_message_without_traceback(failing_create: Any, failure: Exception) -> None:
    details = failing_create(failure).details()
    assert "the disk is full" in details
    assert "Traceback" not in details
    assert "\n" not in details


def test_cancel_ends_an_operation_that_waits() -> None:
    cancelled = threading.Event()
    operation = Operation.within("urn", 60, cancelled)
    threading.Timer(0.1, cancelled.set).start()
    begin = time.monotonic()
    with pytest.raises(CancelledError, match="cancelled while waiting for the moon"):
        operation.wait_until(lambda: False, "the moon", 30, pause=30)
    assert time.monotonic() - begin < 5


def test_an_operation_does_not_wait_past_its_own_deadline() -> None:
    operation = Operation.within("urn", 0.1, threading.Event())
    with pytest.raises(ProviderError, match="timed out while waiting for the moon"):
        operation.wait_until(lambda: False, "the moon", 30)


def test_progress_is_told_once_for_each_line() -> None:
    told: list[tuple[str, str]] = []
    operation = Operation.within("urn", 1, threading.Event(), lambda urn, line: told.append((urn, line)))
    for line in ("0/2", "0/2", "1/2"):
        operation.progress(line)
    assert told == [("urn", "0/2"), ("urn", "1/2")]


def test_with_a_host_not_known_yet_nothing_is_filled_in_and_nothing_is_asked(provider: Start) -> None:
    docker = provider("docker", host=UNKNOWN)
    assert docker.check(NETWORK, "net", {"driver": "overlay"}) == ({"driver": "overlay"}, [])
    assert docker.create(NETWORK, "net", {"driver": "overlay"}, preview=True) == ("", {"driver": "overlay"})
    assert docker.diff(NETWORK, "net", {}, {"driver": "overlay"})["changes"] == "DIFF_UNKNOWN"


def test_a_daemon_that_is_not_there_fails_the_preview_and_is_named(provider: Start) -> None:
    docker = provider("docker", host="unix:///nonexistent.sock")
    with pytest.raises(grpc.RpcError, match=r"failed to connect to the Docker daemon at unix:///nonexistent\.sock"):
        docker.create(NETWORK, "net", {"name": "n"}, preview=True)


def test_a_preview_asks_no_daemon_over_ssh(provider: Start) -> None:
    docker = provider("docker", host="ssh://root@127.0.0.1:1", sshOpts='["-i", "key"]')
    _, preview = docker.create(NETWORK, "net", {"name": "n"}, preview=True)
    assert preview["scope"] == UNKNOWN


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        ({"nosuch": "x"}, "Examine values at 'docker.nosuch'"),
        ({"host": "gopher://x"}, "host is 'gopher://x': use unix://, tcp:// or ssh://"),
        ({"keyMaterial": "x"}, "keyMaterial is not supported"),
        ({"sshOpts": "[1]"}, "Examine values at 'docker.sshOpts[0]'"),
    ],
)
def test_a_wrong_configuration_is_refused(provider: Start, configuration: Values, reason: str) -> None:
    request = provider_pb2.CheckRequest(news=to_struct(configuration))
    answer = provider("docker").stub.CheckConfig(request)
    assert [failure.reason for failure in answer.failures if reason in failure.reason]


def test_the_configuration_that_the_sdk_sends_is_taken(provider: Start) -> None:
    configuration = {
        "host": "ssh://root@h",
        "sshOpts": '["-i", "key"]',
        "registryAuth": '[{"address": "10.0.0.1:5000", "username": "u", "password": "p"}]',
        "version": "5.1.0",
    }
    answer = provider("docker").stub.CheckConfig(provider_pb2.CheckRequest(news=to_struct(configuration)))
    assert list(answer.failures) == []
    assert from_struct(answer.inputs) == configuration


def test_another_host_is_an_update_of_the_provider_not_a_replacement(provider: Start) -> None:
    request = provider_pb2.DiffRequest(olds=to_struct({"host": "a"}), news=to_struct({"host": "b"}))
    answer = provider("docker").stub.DiffConfig(request)
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(answer.diffs) == ["host"]
    assert list(answer.replaces) == []


def test_a_name_that_was_made_up_stays_and_a_new_seed_makes_another(provider: Start) -> None:
    docker = provider("docker")
    first, _ = docker.check(VOLUME, "data", {})
    again, _ = docker.check(VOLUME, "data", {}, first)
    assert again["name"] == first["name"]
    request = provider_pb2.CheckRequest(urn=docker.urn(VOLUME, "data"), randomSeed=b"1" * 32)
    other = from_struct(docker.stub.Check(request).inputs)
    assert other["name"].startswith("data-")
    assert len(other["name"]) == len("data-1234567")
    assert other["name"] != first["name"]


def test_a_fixed_name_taken_away_is_made_up_anew(provider: Start) -> None:
    docker = provider("docker")
    fixed, _ = docker.check(VOLUME, "data", {"name": "mine"})
    free, _ = docker.check(VOLUME, "data", {}, fixed)
    assert free["name"] != "mine"


def test_an_ignored_change_is_no_change(provider: Start) -> None:
    docker = provider("docker")
    checked, _ = docker.check(NETWORK, "net", {"driver": "bridge", "options": {"a": "1"}})
    state = {**checked, "options": {"a": "1", "added": "by the daemon"}}
    assert docker.diff(NETWORK, "net", state, checked)["changes"] == "DIFF_SOME"
    assert docker.diff(NETWORK, "net", state, checked, ignoreChanges=["options"])["changes"] == "DIFF_NONE"


def test_an_output_is_secret_when_its_input_is(provider: Start) -> None:
    docker = provider("docker", disableDockerDaemonCheck=True)
    inputs = {"name": "n", "driverOpts": secret({"password": "x"})}
    _, preview = docker.create(VOLUME, "data", inputs, preview=True)
    assert preview["driverOpts"] == secret({"password": "x"})
    assert preview["name"] == "n"


def test_outputs_that_the_sdk_declares_secret_are_secret_on_the_wire(provider: Start) -> None:
    _, state = provider("random").made(PASSWORD, "pw", {"length": 12})
    assert state["result"] == secret(state["result"]["value"])
    assert state["bcryptHash"] == secret(state["bcryptHash"]["value"])


def test_many_operations_run_at_once(provider: Start) -> None:
    random = provider("random")
    checked, _ = random.check(IDENTITY, "id", {"byteLength": 16})
    request = provider_pb2.CreateRequest(urn=random.urn(IDENTITY, "id"), properties=to_struct(checked))
    pending = [random.stub.Create.future(request) for _ in range(64)]
    assert len({answer.result().properties.SerializeToString() for answer in pending}) == 64


def test_it_says_which_plugin_it_stands_for(provider: Start) -> None:
    docker = provider("docker")
    assert docker.stub.GetPluginInfo(empty_pb2.Empty()).version == "5.1.0"
    assert '"docker"' in docker.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema
