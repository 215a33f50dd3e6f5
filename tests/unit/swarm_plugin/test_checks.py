"""What a check refuses, word for word; adding a case is adding a line."""

from typing import Any

import pytest

from plugins.swarm.values import UNKNOWN, Secret, decode
from tests.unit.swarm_plugin.client import Engine
from tests.unit.swarm_plugin.fake_docker import connection

WAY = connection("m1")
GOOD: dict[str, dict[str, Any]] = {
    "Host": {"connection": {"address": "m1", "port": 22, "user": "root"}},
    "Cluster": {"connection": WAY, "managers": [WAY], "advertiseAddress": "10.0.0.1"},
    "Node": {
        "connection": WAY,
        "managers": [WAY],
        "clusterId": "c",
        "managerAddresses": ["10.0.0.1:2377"],
        "joinToken": "t",
        "role": "worker",
        "advertiseAddress": "10.0.0.2",
    },
    "Readiness": {"managers": [WAY], "clusterId": "c", "nodeIds": ["n"]},
    "Job": {"managers": [WAY], "clusterId": "c", "image": "i"},
    "Mount": {"connection": WAY, "serial": "vol-0123456789abcdef0", "path": "/srv/data"},
}
SERIAL = "expected the id of an EBS volume (vol-0abc…) or of a Cinder volume (a UUID)"
PATH = "expected an absolute path such as /srv/data, of letters, digits and . _ -"
KEY = "expected a public key line such as `ssh-ed25519 AAAA…` (without a comment)"
CASES = [
    ("Host", {"connection": None}, "connection is required"),
    ("Host", {"connection": "m1"}, "connection is 'm1': expected address, port, user, hostKey"),
    ("Host", {"connection": {"address": "m1", "user": "root"}}, "connection.port is required"),
    ("Host", {"connection": {**WAY, "port": 0}}, "connection.port is 0: expected 1 to 65535"),
    ("Host", {"connection": {**WAY, "port": "22"}}, "connection.port is '22': expected a whole number, 1 to 65535"),
    (
        "Host",
        {"connection": {**WAY, "address": "a b"}},
        "connection.address is 'a b': expected an IP address or interface",
    ),
    ("Host", {"connection": {**WAY, "hostKey": "AAAA"}}, f"connection.hostKey is 'AAAA': {KEY}"),
    (
        "Host",
        {"connection": {**WAY, "key": "x"}},
        "connection.key is no property here; known are address, hostKey, port, user",
    ),
    (
        "Host",
        {"memory": 5},
        "memory is no property here; known are connection, minimumMemory, requiredEngineVersion, timeout, triggers",
    ),
    ("Host", {"minimumMemory": 0}, "minimumMemory is 0: expected 1 or more bytes"),
    ("Host", {"timeout": 1.5}, "timeout is 1.5: expected a whole number, 1 or more seconds"),
    ("Host", {"timeout": True}, "timeout is True: expected a whole number, 1 or more seconds"),
    ("Host", {"triggers": {"a": 1}}, "triggers.a is 1: expected text"),
    ("Host", {"triggers": ["a"]}, "triggers is ['a']: expected a map"),
    ("Cluster", {"connection": {"address": "m1", "port": 22, "user": "root"}}, "connection.hostKey is required"),
    ("Cluster", {"managers": []}, "managers has 0 items: expected at least 1"),
    ("Cluster", {"managers": [{**WAY, "port": 70000}]}, "managers[0].port is 70000: expected 1 to 65535"),
    ("Cluster", {"advertiseAddress": ""}, "advertiseAddress is empty: leave it out or give it a value"),
    ("Cluster", {"dataPathPort": 1023}, "dataPathPort is 1023: expected 1024 to 49151"),
    ("Cluster", {"dataPathPort": 49152}, "dataPathPort is 49152: expected 1024 to 49151"),
    (
        "Cluster",
        {"defaultAddressPools": ["10.0.0.1/8"]},
        "defaultAddressPools[0] is '10.0.0.1/8': 10.0.0.1/8 has host bits set; expected a network such as 10.20.0.0/16",
    ),
    (
        "Cluster",
        {"defaultAddressPools": ["10.0.0.0"]},
        "defaultAddressPools[0] is '10.0.0.0': expected a network such as 10.20.0.0/16",
    ),
    ("Cluster", {"defaultAddressPools": "10.0.0.0/8"}, "defaultAddressPools is '10.0.0.0/8': expected a list"),
    (
        "Cluster",
        {"defaultAddressPools": ["10.0.0.0/26"]},
        "defaultAddressPools[0] is '10.0.0.0/26': no network of /24 fits into it; use a larger pool, "
        "or a subnetSize of 26 or more",
    ),
    ("Cluster", {"subnetSize": 30}, "subnetSize is 30: expected 1 to 29"),
    ("Cluster", {"autolock": "yes"}, "autolock is 'yes': expected true or false"),
    (
        "Cluster",
        {"certificateExpiry": "90d"},
        "certificateExpiry is '90d': expected a Go duration such as 2160h or 1h30m",
    ),
    ("Cluster", {"certificateExpiry": "30m"}, "certificateExpiry is '30m': the shortest that Docker takes is 1h"),
    ("Cluster", {"taskHistoryLimit": -1}, "taskHistoryLimit is -1: expected 0 or more"),
    ("Cluster", {"snapshotInterval": 0}, "snapshotInterval is 0: expected 1 or more"),
    ("Node", {"role": "leader"}, "role is 'leader': expected manager or worker"),
    ("Node", {"availability": "down"}, "availability is 'down': expected active or pause or drain"),
    ("Node", {"joinToken": None}, "joinToken is required"),
    ("Node", {"joinToken": Secret(5)}, "joinToken is not a text: give it the output of the cluster"),
    ("Node", {"labels": {"a b": 1}}, 'labels["a b"] is 1: expected text'),
    ("Node", {"managerAddresses": [7]}, "managerAddresses[0] is 7: expected text"),
    ("Readiness", {"nodeIds": None}, "nodeIds is required"),
    ("Readiness", {"readyWorkers": -1}, "readyWorkers is -1: expected 0 or more"),
    ("Readiness", {"readyWorkers": 1.5}, "readyWorkers is 1.5: expected a whole number, 0 or more"),
    ("Readiness", {"triggers": {"group": 1}}, "triggers.group is 1: expected text"),
    ("Job", {"image": None}, "image is required"),
    ("Job", {"memory": 1024}, "memory is 1024: expected 4194304 or more bytes"),
    ("Job", {"cpus": 0}, "cpus is 0: expected a number of processors above 0"),
    ("Job", {"secrets": [{"secretId": "1", "secretName": "2"}]}, "secrets[0].fileName is required"),
    ("Job", {"mounts": [{"type": "nfs", "target": "/x"}]}, "mounts[0].type is 'nfs': expected volume or bind or tmpfs"),
    ("Job", {"mounts": [{"type": "bind", "target": "/x"}]}, "mounts[0].source is required for a bind mount"),
    ("Mount", {"connection": {"address": "m1", "port": 22, "user": "root"}}, "connection.hostKey is required"),
    ("Mount", {"serial": None}, "serial is required"),
    ("Mount", {"serial": "/dev/sdf"}, f"serial is '/dev/sdf': {SERIAL}"),
    ("Mount", {"serial": "vol-"}, f"serial is 'vol-': {SERIAL}"),
    ("Mount", {"serial": 5}, f"serial is 5: {SERIAL}"),
    ("Mount", {"path": "srv/data"}, f"path is 'srv/data': {PATH}"),
    ("Mount", {"path": "/"}, f"path is '/': {PATH}"),
    ("Mount", {"path": "/srv/../etc"}, f"path is '/srv/../etc': {PATH}"),
    ("Mount", {"path": "/srv/my data"}, f"path is '/srv/my data': {PATH}"),
    ("Mount", {"path": "/srv/data/"}, f"path is '/srv/data/': {PATH}"),
    ("Mount", {"options": "ro"}, "options is 'ro': expected a list"),
    ("Mount", {"options": ["ro,noexec"]}, "options[0] is 'ro,noexec': expected one option of mount such as noatime"),
    ("Mount", {"options": ["ro", "nofail"]}, "options[1] is 'nofail': this is not yours to set; leave it out"),
    ("Mount", {"options": ["x-mount.mkdir"]}, "options[0] is 'x-mount.mkdir': this is not yours to set; leave it out"),
    ("Mount", {"sizeGib": 0}, "sizeGib is 0: expected 1 or more GiB"),
    (
        "Mount",
        {"deviceName": "sdf"},
        "deviceName is 'sdf': expected what the volume is attached as, such as /dev/sdf",
    ),
]


@pytest.mark.parametrize(("kind", "changed", "message"), CASES)
def test_a_wrong_property_is_refused_with_field_value_and_fix(
    engine: Engine, kind: str, changed: dict[str, Any], message: str
) -> None:
    assert engine.failures(kind, {**GOOD[kind], **changed}) == [message]


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_right_passes_and_what_is_unknown_too(engine: Engine, kind: str) -> None:
    assert engine.failures(kind, GOOD[kind]) == []
    assert engine.failures(kind, dict.fromkeys(GOOD[kind], UNKNOWN)) == []


def test_all_failures_are_told_at_once(engine: Engine) -> None:
    wrong = {**GOOD["Node"], "role": "x", "availability": "y", "extra": 1}
    assert len(engine.failures("Node", wrong)) == 3


def test_a_join_token_becomes_secret_even_when_it_was_not_given_so(engine: Engine) -> None:
    assert decode(engine.check("Node", GOOD["Node"]).inputs)["joinToken"] == Secret("t")


def test_an_unknown_type_is_refused(engine: Engine) -> None:
    with pytest.raises(Exception, match="swarm:index:Stack is no resource of the swarm plugin"):
        engine.check("Stack", {})
