"""A stand-in refuses what the installed SDK does not know, and says which value to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hermetic.values import UNKNOWN, secret

if TYPE_CHECKING:
    from tests.unit.providers.conftest import Start

NETWORK, SERVICE = "docker:index/network:Network", "docker:index/service:Service"
CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"


def service(**container: Any) -> dict[str, Any]:
    return {"taskSpec": {"containerSpec": {"image": "nginx@sha256:0", **container}}}


@pytest.mark.parametrize(
    ("kind", "inputs", "reason"),
    [
        (NETWORK, {"nosuch": 1}, "Invalid or unknown key. Examine values at 'it.nosuch'."),
        (SERVICE, service(nosuch=1), "Invalid or unknown key. Examine values at 'it.taskSpec.containerSpec.nosuch'."),
        (
            SERVICE,
            service(mounts=[{"target": "/x", "type": "bind", "nosuch": 1}]),
            "Invalid or unknown key. Examine values at 'it.taskSpec.containerSpec.mounts'.",
        ),
        (NETWORK, {"attachable": "yes"}, "Expected Boolean Type. Expected boolean, got string."),
        (NETWORK, {"driver": 1}, "Expected String Type. Expected string, got float64."),
        (CONTAINER, {"image": "i", "memory": 1.5}, "Expected Number Type. Expected number, got float64."),
        (CONTAINER, {"image": "i", "memory": True}, "Expected Number Type. Expected number, got bool."),
        (NETWORK, {"options": {"a": 1}}, "Expected String Type. Expected string, got float64."),
        (NETWORK, {"options": "a"}, "Expected Map Type. Expected map, got string."),
        (
            CONTAINER,
            {"image": "i", "ports": [{"external": 1}]},
            'The argument "ports.0.internal" is required, but no definition was found.. '
            "Examine values at 'it.ports[0].internal'.",
        ),
        (CONTAINER, {"image": "i", "restart": "sometimes"}, "doesn't match the pattern"),
        (CONTAINER, {"image": "i", "memory": -1}, "'-1' cannot be lower than 0"),
        (CONTAINER, {"image": "i", "volumes": [{"hostPath": "a"}]}, "'a' must be an absolute path"),
        (SERVICE, service(stopGracePeriod="-1s"), "'-1s' duration must not be negative"),
        (SERVICE, service() | {"updateConfig": {"maxFailureRatio": "2"}}, "'2' has to be between 0.0 and 1.0"),
        ("random:index/randomPassword:RandomPassword", {}, 'The argument "length" is required'),
        ("random:index/randomId:RandomId", {"byteLength": 0}, "'0' cannot be lower than 1"),
        ("tls:index/privateKey:PrivateKey", {"algorithm": "DSA"}, "doesn't match the pattern"),
    ],
)
def test_a_wrong_input_is_refused_where_it_stands(
    provider: Start, kind: str, inputs: dict[str, Any], reason: str
) -> None:
    _, failures = provider(kind.partition(":")[0]).check(kind, "it", inputs)
    assert len(failures) == 1
    assert reason in failures[0]["reason"]


def test_every_fault_is_named_at_once(provider: Start) -> None:
    _, failures = provider("docker").check(NETWORK, "it", {"one": 1, "two": 2, "driver": 3})
    assert len(failures) == 3


def test_a_value_not_known_yet_is_not_refused(provider: Start) -> None:
    checked, failures = provider("docker").check(
        SERVICE, "it", {"taskSpec": {"containerSpec": {"image": UNKNOWN, "mounts": UNKNOWN}}, "labels": UNKNOWN}
    )
    assert failures == []
    assert checked["taskSpec"]["containerSpec"]["image"] == UNKNOWN


def test_a_secret_is_checked_like_its_value_and_stays_secret(provider: Start) -> None:
    docker = provider("docker")
    checked, failures = docker.check(VOLUME, "it", {"driverOpts": secret({"password": "x"})})
    assert failures == []
    assert checked["driverOpts"] == secret({"password": "x"})
    _, failures = docker.check(VOLUME, "it", {"driverOpts": secret({"password": 1})})
    assert len(failures) == 1


def test_the_data_of_a_secret_is_never_in_a_refusal(provider: Start) -> None:
    _, failures = provider("docker").check(
        "docker:index/secret:Secret", "it", {"data": secret("hunter2 is not base64!")}
    )
    assert len(failures) == 1
    assert "hunter2" not in failures[0]["reason"]


def test_a_resource_type_that_the_stand_in_does_not_have_is_named(provider: Start) -> None:
    with pytest.raises(Exception, match="no resource type docker:index/plugin:Plugin; it has Container, Network"):
        provider("docker").check("docker:index/plugin:Plugin", "it", {})


def test_a_plugin_without_stand_in_is_a_key_error(provider: Start) -> None:
    with pytest.raises(KeyError, match="kubernetes"):
        provider("kubernetes")
