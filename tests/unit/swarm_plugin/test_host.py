"""Machines that answer."""

import pytest

from plugins.swarm.host import read_cloud_init
from plugins.swarm.values import UNKNOWN
from tests.unit.swarm_plugin.client import Engine, FailedError
from tests.unit.swarm_plugin.fake_docker import World, connection

UNPINNED = {"address": "m9", "port": 22, "user": "root"}


def test_a_host_gives_its_facts_and_its_pinned_connection(world: World, engine: Engine) -> None:
    host = engine.create("Host", {"connection": connection("m1"), "requiredEngineVersion": "20.10"})
    assert (host.id, host["connection"], host["cpus"]) == ("ssh://root@m1:22", connection("m1"), 2)
    assert all("StrictHostKeyChecking=yes" in words for words in world.commands)
    assert all("KnownHostsCommand=/bin/echo m1 ssh-ed25519 AAAAm1" in words for words in world.commands)


def test_a_host_key_is_recorded_at_first_contact_and_required_from_then_on(world: World, engine: Engine) -> None:
    host = engine.create("Host", {"connection": UNPINNED})
    assert host["connection"]["hostKey"] == "ssh-ed25519 AAAARECORDED"
    assert "StrictHostKeyChecking=accept-new" in world.commands[0]
    assert all("StrictHostKeyChecking=yes" in words for words in world.commands[1:])
    world.commands.clear()
    engine.update(host, {"connection": UNPINNED, "minimumMemory": 1})
    assert all("KnownHostsCommand=/bin/echo m9 ssh-ed25519 AAAARECORDED" in words for words in world.commands)


def test_a_preview_knows_a_connection_whose_key_is_given(engine: Engine) -> None:
    given = engine.create("Host", {"connection": connection("m1")}, preview=True)
    assert (given.outputs["connection"], given.outputs["memory"]) == (connection("m1"), UNKNOWN)
    assert engine.create("Host", {"connection": UNPINNED}, preview=True).outputs["connection"] is UNKNOWN


def test_another_machine_behind_the_name_is_a_new_host(engine: Engine) -> None:
    host = engine.create("Host", {"connection": connection("m1"), "triggers": {"machine": "1"}})
    response = engine.diff(host, {"connection": connection("m1"), "triggers": {"machine": "2"}})
    assert (list(response.replaces), response.deleteBeforeReplace) == (["triggers"], False)
    assert list(engine.diff(host, {"connection": connection("m2"), "triggers": {"machine": "1"}}).replaces) == []


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"requiredEngineVersion": "20.1"}, "requiredEngineVersion is '20.1' but m1:22 runs Docker 20.10.24"),
        ({"minimumMemory": 2**40}, "minimumMemory is 1099511627776 bytes but m1:22 has 2147483648"),
    ],
)
def test_a_host_that_is_not_as_wanted_says_what_it_is(engine: Engine, inputs: dict[str, object], message: str) -> None:
    with pytest.raises(FailedError, match=message):
        engine.create("Host", {"connection": connection("m1"), **inputs})


def test_a_failed_first_boot_is_told_in_its_own_words(world: World, engine: Engine) -> None:
    world.cloud_init = "status: error\ndetail:\n('locale', ProcessExecutionError())"
    with pytest.raises(FailedError, match=r"cloud-init on m1:22 ended in an error: \('locale', ProcessExecutionError"):
        engine.create("Host", {"connection": connection("m1")})


def test_a_host_that_never_answers_ends_at_its_deadline_with_what_ssh_said(world: World, engine: Engine) -> None:
    world.daemon("m1").up = False
    with pytest.raises(FailedError, match=r"SSH on m1:22 \(ssh: connect to host m1 port 22: Connection refused\): not"):
        engine.create("Host", {"connection": connection("m1")}, timeout=0.1)


def test_another_host_key_is_refused_at_once(world: World, engine: Engine) -> None:
    world.daemon("m1").up = False
    world.unreachable = "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"
    with pytest.raises(FailedError, match="REMOTE HOST IDENTIFICATION HAS CHANGED for m1:22"):
        engine.create("Host", {"connection": connection("m1")})


def test_a_host_that_is_down_at_refresh_keeps_its_entry_and_warns(world: World, engine: Engine) -> None:
    host = engine.create("Host", {"connection": UNPINNED})
    world.daemon("m9").up = False
    seen = engine.read(host)
    assert seen is not None
    assert seen["connection"]["hostKey"] == "ssh-ed25519 AAAARECORDED"
    assert any("does not answer, its entry is kept" in message for message in engine.log.messages)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status: done\ntime: Sat\ndetail:\nDataSourceNoCloud", ("done", "DataSourceNoCloud")),
        ("status: running\n", ("running", "")),
        ("status: absent", ("absent", "")),
        (
            "status: error\nboot_status_code: x\ndetail: DataSource\nerrors:\n  - ('a', E('b'))",
            ("error", "DataSource - ('a', E('b'))"),
        ),
        ("", ("", "")),
    ],
)
def test_the_status_of_cloud_init_is_read(text: str, expected: tuple[str, str]) -> None:
    assert read_cloud_init(text) == expected
