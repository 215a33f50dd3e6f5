"""A service's inputs survive the way to the Engine API and back, and an update sends only what it means."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from hermetic.providers.check import checked_inputs, failures, without_defaults
from hermetic.providers.diff import difference
from hermetic.providers.docker.service_spec import service_spec
from hermetic.providers.docker.service_state import service_state, unchanged_parts_kept
from hermetic.providers.docker.tables import SERVICE
from hermetic.providers.plan import inputs_from_state, planned_state, settled_state
from hermetic.providers.shapes import resource_shape
from hermetic.values import UNKNOWN

if TYPE_CHECKING:
    from hermetic.providers.check import Values

SHAPE = resource_shape("docker:index/service:Service")
FULL: dict[str, Any] = {
    "name": "web",
    "labels": [{"label": "z", "value": "1"}, {"label": "a", "value": "2"}],
    "mode": {"replicated": {"replicas": 3}},
    "taskSpec": {
        "containerSpec": {
            "image": "registry:5000/nginx@sha256:0",
            "commands": ["/bin/sh", "-c"],
            "args": ["sleep 1"],
            "env": {"B": "x=y", "A": ""},
            "labels": [{"label": "cl", "value": "1"}],
            "mounts": [
                {"type": "volume", "source": "data", "target": "/data"},
                {
                    "type": "bind",
                    "source": "/etc",
                    "target": "/e",
                    "readOnly": True,
                    "bindOptions": {"propagation": "rslave"},
                },
                {"type": "tmpfs", "target": "/t", "tmpfsOptions": {"sizeBytes": 1024, "mode": 511}},
                {
                    "type": "volume",
                    "source": "nfs",
                    "target": "/n",
                    "volumeOptions": {
                        "noCopy": True,
                        "driverName": "local",
                        "driverOptions": {"type": "nfs"},
                        "labels": [{"label": "v", "value": "1"}],
                    },
                },
            ],
            "secrets": [{"secretId": "s1", "secretName": "pw", "fileName": "/run/secrets/pw", "fileMode": 256}],
            "configs": [{"configId": "c1", "configName": "conf", "fileName": "/etc/conf", "fileUid": "33"}],
            "healthcheck": {
                "tests": ["CMD", "true"],
                "interval": "10s",
                "timeout": "5s",
                "retries": 3,
                "startPeriod": "1m",
            },
            "hosts": [{"host": "db", "ip": "10.0.0.9"}],
            "dnsConfig": {"nameservers": ["10.0.0.2"], "searches": ["example"], "options": ["ndots:1"]},
            "hostname": "{{.Node.Hostname}}",
            "dir": "/srv",
            "user": "33:33",
            "groups": ["4"],
            "privileges": {"seLinuxContext": {"disable": True}},
            "readOnly": True,
            "init": True,
            "stopSignal": "SIGQUIT",
            "stopGracePeriod": "1m30s",
            "sysctl": {"net.core.somaxconn": "1024"},
            "capAdds": ["NET_ADMIN"],
            "capDrops": ["CAP_MKNOD"],
        },
        "networksAdvanceds": [{"id": "net2", "aliases": ["web", "api"], "driverOpts": ["a=b"]}, {"id": "net1"}],
        "placement": {
            "constraints": ["node.role==worker", "node.labels.a!=b"],
            "prefs": ["node.labels.zone"],
            "maxReplicas": 2,
            "platforms": [{"architecture": "amd64", "os": "linux"}],
        },
        "resources": {
            "limits": {"memoryBytes": 67108864, "nanoCpus": 500000000},
            "reservation": {
                "memoryBytes": 1048576,
                "genericResources": {"namedResourcesSpecs": ["gpu=one"], "discreteResourcesSpecs": ["ssd=2"]},
            },
        },
        "restartPolicy": {"condition": "on-failure", "delay": "5s", "maxAttempts": 3, "window": "2m"},
        "logDriver": {"name": "local", "options": {"max-size": "1m"}},
        "forceUpdate": 2,
    },
    "endpointSpec": {
        "mode": "dnsrr",
        "ports": [
            {"targetPort": 80, "publishedPort": 8080, "publishMode": "host"},
            {"targetPort": 53, "publishedPort": 5353, "publishMode": "host", "protocol": "udp", "name": "dns"},
        ],
    },
    "updateConfig": {
        "parallelism": 2,
        "delay": "10s",
        "failureAction": "rollback",
        "monitor": "15s",
        "maxFailureRatio": "0.3",
        "order": "start-first",
    },
    "rollbackConfig": {"parallelism": 0, "order": "stop-first"},
    "convergeConfig": {"delay": "2s", "timeout": "2m"},
}
BARE: dict[str, Any] = {"name": "bare", "taskSpec": {"containerSpec": {"image": "i", "stopGracePeriod": "5s"}}}


def checked(inputs: dict[str, Any]) -> Values:
    filled = checked_inputs(SERVICE, SHAPE.inputs, "web", inputs, {}, b"")
    assert failures(SERVICE, SHAPE.inputs, "web", filled) == []
    return filled


def without_unknowns(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_unknowns(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_unknowns(part) for part in value]
    return None if value == UNKNOWN else value


def made(inputs: dict[str, Any]) -> tuple[Values, Values, Values]:
    """Checked inputs, the service as the swarm would give it back, and its state: all without a swarm."""
    filled = checked(inputs)
    planned = planned_state(SERVICE, SHAPE.outputs, without_defaults(filled))
    found = {"Spec": service_spec(without_unknowns(planned))}
    state = settled_state(SERVICE, SHAPE.outputs, planned, planned | service_state(found, without_unknowns(planned)))
    return filled, found, state


def changed(inputs: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    news = copy.deepcopy(inputs)
    holder = news
    *keys, last = path.split(".")
    for key in keys:
        holder = holder.setdefault(key, {})
    holder[last] = value
    return news


def updated_spec(inputs: dict[str, Any], path: str, value: Any) -> tuple[Values, Values]:
    _, found, state = made(inputs)
    news = checked(changed(inputs, path, value))
    planned = planned_state(SERVICE, SHAPE.outputs, without_defaults(news), state)
    return found["Spec"], unchanged_parts_kept(found, service_spec(without_unknowns(planned)))


@pytest.mark.parametrize("inputs", [FULL, BARE], ids=["full", "bare"])
def test_what_was_made_is_what_was_asked_for(inputs: dict[str, Any]) -> None:
    filled, found, state = made(inputs)
    assert difference(SERVICE, SHAPE, state, filled).changes == []
    read = state | service_state(found, state)
    assert difference(SERVICE, SHAPE, read, filled).changes == []


@pytest.mark.parametrize("inputs", [FULL, BARE], ids=["full", "bare"])
def test_the_inputs_read_back_are_the_inputs_stored(inputs: dict[str, Any]) -> None:
    filled, found, state = made(inputs)
    read = inputs_from_state(SERVICE, SHAPE.inputs, filled, state | service_state(found, state))
    assert without_defaults(read) == without_defaults(filled)


def test_every_input_of_the_sdk_is_in_the_full_example() -> None:
    def leaves(shape: Any, value: Any, path: str) -> list[str]:
        if shape.kind == "list" and value:
            return leaves(shape.of(), _merged(value), path)
        if shape.kind != "object":
            return [] if value not in (None, []) else [path]
        given = value if isinstance(value, dict) else {}
        return [leaf for name, part in shape.fields.items() for leaf in leaves(part, given.get(name), f"{path}.{name}")]

    left_out = {
        "auth", "mode.global", "isolation", "runtime", "name", "credentialSpec", "seLinuxContext", "fileGid", "fileUid",
        "fileMode", "reservation.nanoCpus", "rollbackConfig",
    }  # fmt: skip
    missing = [leaf for leaf in leaves(SHAPE.inputs, FULL, "") if not any(name in leaf for name in left_out)]
    assert missing == []


def _merged(values: list[Any]) -> Any:
    if not isinstance(values[0], dict):
        return values
    return {key: part for value in values for key, part in value.items()}


@pytest.mark.parametrize("inputs", [FULL, BARE], ids=["full", "bare"])
def test_a_new_label_changes_nothing_that_restarts_a_task(inputs: dict[str, Any]) -> None:
    before, after = updated_spec(inputs, "labels", [{"label": "new", "value": "1"}])
    assert after["Labels"] == {"new": "1"}
    assert after["TaskTemplate"] == before["TaskTemplate"]
    assert after.get("EndpointSpec") == before.get("EndpointSpec")


def test_a_limit_that_is_no_longer_written_stays_through_other_updates() -> None:
    without = copy.deepcopy(FULL)
    del without["taskSpec"]["resources"]
    _, _, state = made(FULL)
    planned = planned_state(SERVICE, SHAPE.outputs, without_defaults(checked(without)), state)
    assert service_spec(planned)["TaskTemplate"]["Resources"]["Limits"]["MemoryBytes"] == 67108864


def test_a_long_way_to_write_a_duration_differs_for_ever_as_with_the_plugin() -> None:
    filled, _, state = made(changed(BARE, "taskSpec.containerSpec.stopGracePeriod", "60s"))
    assert state["taskSpec"]["containerSpec"]["stopGracePeriod"] == "1m"
    assert [change.path for change in difference(SERVICE, SHAPE, state, filled).changes] == [
        "taskSpec.containerSpec.stopGracePeriod"
    ]


def test_a_restart_policy_of_a_condition_alone_differs_for_ever_as_with_the_plugin() -> None:
    filled, _, state = made(changed(BARE, "taskSpec.restartPolicy", {"condition": "any"}))
    paths = {change.path for change in difference(SERVICE, SHAPE, state, filled).changes}
    assert paths == {"taskSpec.restartPolicy.delay", "taskSpec.restartPolicy.window"}


@pytest.mark.parametrize(
    ("path", "value", "replaces"),
    [
        ("taskSpec.networksAdvanceds", [{"id": "net1"}], True),
        ("taskSpec.containerSpec.sysctl", {"a": "1"}, True),
        ("taskSpec.containerSpec.image", "other", False),
        ("taskSpec.containerSpec.secrets", [{"secretId": "s2", "secretName": "pw2", "fileName": "x"}], False),
        ("taskSpec.placement.prefs", ["node.labels.disk"], False),
        ("mode.replicated.replicas", 5, False),
        ("auth", {"serverAddress": "r"}, True),
    ],
)
def test_what_replaces_a_service(path: str, value: Any, replaces: bool) -> None:
    _, _, state = made(FULL)
    found = difference(SERVICE, SHAPE, state, checked(changed(FULL, path, value)))
    assert found.changes
    assert bool(found.replaces) is replaces
    assert found.delete_before_replace is replaces  # its name is fixed
