"""`Mount` as the engine sees it: what it asks the machine's program, and what it makes of the answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from plugins.swarm import mount
from plugins.swarm.ssh import Finished, SshError
from plugins.swarm.values import UNKNOWN, decode
from tests.unit.swarm_plugin.client import Engine, FailedError, Object, urn
from tests.unit.swarm_plugin.fake_docker import World, connection

SERIAL = "vol-0123456789abcdef0"
UUID = "5b1f0f5e-9d0c-5c3e-8c5e-2f4f7c1d9a10"
INPUTS = {"connection": connection("w1"), "serial": SERIAL, "path": "/srv/data"}
TOLD = {"device": "/dev/nvme1n1", "uuid": UUID, "formatted": True}
SEEN = {"mounted": True, "device": "/dev/nvme2n1", "uuid": UUID, "options": ["nodev", "nosuid"]}
DONE: dict[str, Any] = {"result": {"notes": []}}
Answer = dict[str, Any] | str | Finished


@dataclass
class Machine(World):
    """A world whose machine answers as told, one answer a question, the last one for ever; a text is ssh's error."""

    answers: list[Answer] = field(default_factory=list[Answer])
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    argv: Sequence[str] = ()
    given: str = ""

    def run(self, host: str, options: Sequence[str], argv: Sequence[str], timeout: float, given: str) -> Finished:
        self.commands.append(options)
        self.argv, self.given = argv, given
        self.asked.append(json.loads(argv[-1]))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            raise SshError(answer)
        return answer if isinstance(answer, Finished) else Finished(0, f"a banner\n{json.dumps(answer)}\n", "")


@pytest.fixture
def world() -> Machine:
    return Machine()


def refused(message: str, **more: Any) -> dict[str, Any]:
    return {"refused": message, **more}


def made(world: Machine, engine: Engine, **changed: Any) -> Object:
    world.answers = [{"result": {**TOLD, "notes": []}}]
    done = engine.create("Mount", {**INPUTS, **changed})
    world.asked.clear()
    return done


def test_a_mount_asks_until_it_is_done_and_gives_what_the_machine_tells(world: Machine, engine: Engine) -> None:
    world.answers = [
        {"notYet": "no disk tells the serial", "mounted": None},
        "ssh: connect to host w1 port 22: Connection refused",
        {"result": {**TOLD, "notes": ["/srv/data cannot be made immutable here"]}},
    ]
    done = engine.create("Mount", {**INPUTS, "sizeGib": 75, "deviceName": "/dev/sdf"})
    assert (done.id, done["path"]) == (f"{SERIAL}:/srv/data", "/srv/data")
    assert {name: done[name] for name in TOLD} == TOLD
    assert len(world.asked) == 3
    assert world.asked[0] == {
        "action": "mount",
        "serial": SERIAL,
        "path": "/srv/data",
        "options": ["nodev", "nosuid"],
        "device_name": "/dev/sdf",
        "size_gib": 75,
        "uuid": "",
    }
    assert any("to be mounted on w1:22: no disk tells the serial" in message for message in engine.log.messages)
    assert "w1:22: /srv/data cannot be made immutable here" in engine.log.messages


def test_the_program_goes_by_standard_input_and_the_host_key_is_required(world: Machine, engine: Engine) -> None:
    made(world, engine)
    assert world.argv[:3] == ["python3", "-I", "-"]
    assert world.given == mount.PROGRAM.read_text()
    assert all("StrictHostKeyChecking=yes" in words for words in world.commands)


def test_a_user_other_than_root_becomes_root_without_a_question(world: Machine, engine: Engine) -> None:
    made(world, engine, connection={**connection("w1"), "user": "debian"})
    assert world.argv[:5] == ["sudo", "-n", "python3", "-I", "-"]


def test_a_preview_asks_nothing_and_knows_the_path(world: Machine, engine: Engine) -> None:
    foreseen = engine.create("Mount", {**INPUTS, "serial": UNKNOWN}, preview=True)
    assert (foreseen.outputs["path"], foreseen.outputs["device"]) == ("/srv/data", UNKNOWN)
    assert engine.create("Mount", {**INPUTS, "path": UNKNOWN}, preview=True).outputs["path"] is UNKNOWN
    old = made(world, engine)
    assert engine.update(old, {**INPUTS, "options": ["ro"]}, preview=True)["uuid"] == UUID
    assert world.asked == []


@pytest.mark.parametrize(
    ("changed", "paths", "replaces"),
    [
        ({"serial": "vol-0fedcba9876543210"}, ["serial"], ["serial"]),
        ({"path": "/srv/other"}, ["path"], ["path"]),
        ({"triggers": {"attachment": "2"}}, ["triggers"], ["triggers"]),
        ({"triggers": UNKNOWN}, ["triggers"], ["triggers"]),
        ({"options": ["nodev"]}, ["options[1]"], []),
        ({"sizeGib": 80}, ["sizeGib"], []),
        ({"connection": connection("w2")}, [], []),
        ({"deviceName": "/dev/sdg"}, [], []),
        ({"timeout": 5}, [], []),
    ],
)
def test_a_difference_is_told_by_its_path(
    world: Machine, engine: Engine, changed: dict[str, Any], paths: list[str], replaces: list[str]
) -> None:
    response = engine.diff(made(world, engine), {**INPUTS, **changed})
    assert sorted(response.detailedDiff) == paths
    assert list(response.replaces) == replaces
    # Two volumes at one path, or one at two: the old mount has to go first.
    assert response.deleteBeforeReplace is bool(replaces)


def test_a_refusal_of_the_machine_is_told_at_once_and_leaves_nothing_in_the_state(
    world: Machine, engine: Engine
) -> None:
    world.answers = [refused(f"serial is {SERIAL}: /dev/nvme1n1 holds swap", mounted=None)]
    with pytest.raises(FailedError, match=f"^w1:22: serial is {SERIAL}: /dev/nvme1n1 holds swap$") as failed:
        engine.create("Mount", INPUTS)
    assert failed.value.half_made is None
    assert len(world.asked) == 1


def test_what_is_mounted_though_something_failed_goes_into_the_state_and_is_repaired(
    world: Machine, engine: Engine
) -> None:
    world.answers = [
        {"notYet": "udev does not show it", "mounted": TOLD},
        refused("sizeGib: could not be grown", mounted={**TOLD, "formatted": False}),
    ]
    with pytest.raises(FailedError, match="could not be grown") as failed:
        engine.create("Mount", INPUTS)
    kept = failed.value.half_made
    assert kept is not None
    old = Object(urn("Mount"), decode(kept.inputs), kept.id, decode(kept.properties))
    assert (old.id, old["uuid"], old["formatted"]) == (f"{SERIAL}:/srv/data", UUID, True)
    world.answers = [{"result": {**TOLD, "formatted": False, "notes": []}}]
    assert engine.update(old, INPUTS)["formatted"] is True


def test_a_deadline_after_the_mount_keeps_it_in_the_state_too(world: Machine, engine: Engine) -> None:
    world.answers = [{"notYet": "udev does not show it", "mounted": TOLD}]
    with pytest.raises(FailedError, match=r"udev does not show it\): not within 0\.1 s") as failed:
        engine.create("Mount", INPUTS, timeout=0.1)
    assert failed.value.half_made is not None


def test_a_disk_that_never_comes_ends_at_the_deadline_with_what_was_seen(world: Machine, engine: Engine) -> None:
    world.answers = [{"notYet": "no disk tells the serial", "mounted": None}]
    with pytest.raises(FailedError, match=r"no disk tells the serial\): not within 0\.1 s") as failed:
        engine.create("Mount", INPUTS, timeout=0.1)
    assert failed.value.half_made is None


def test_an_update_never_formats_and_keeps_what_was_formatted(world: Machine, engine: Engine) -> None:
    old = made(world, engine)
    world.answers = [{"result": {**TOLD, "device": "/dev/nvme3n1", "formatted": False, "notes": []}}]
    new = engine.update(old, {**INPUTS, "options": ["ro"], "sizeGib": 80})
    (asked,) = world.asked
    assert (asked["uuid"], asked["options"], asked["size_gib"]) == (UUID, ["ro"], 80)
    assert (new["device"], new["formatted"], new["options"]) == ("/dev/nvme3n1", True, ["ro"])


def test_a_refresh_shows_where_the_disk_is_now_and_which_options_it_has(world: Machine, engine: Engine) -> None:
    old = made(world, engine)
    world.answers = [{"result": {**SEEN, "options": ["nosuid"]}}]
    seen = engine.read(old)
    assert seen is not None
    assert (seen["device"], seen["formatted"]) == ("/dev/nvme2n1", True)
    assert list(engine.diff(seen, INPUTS).diffs) == ["options"]


def test_a_volume_that_is_not_mounted_is_gone_and_the_reason_is_told(world: Machine, engine: Engine) -> None:
    old = made(world, engine)
    world.answers = [{"result": {"mounted": False, "why": "nothing is mounted at /srv/data"}}]
    assert engine.read(old) is None
    assert any("(nothing is mounted at /srv/data): the next `pulumi up`" in one for one in engine.log.messages)


@pytest.mark.parametrize(
    "said",
    [
        "ssh: connect to host w1 port 22: Connection refused",
        "ssh: connect to host w1 port 22: Connection timed out",
        "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!",
    ],
)
def test_a_mount_whose_machine_does_not_answer_keeps_its_entry(world: Machine, engine: Engine, said: str) -> None:
    old = made(world, engine)
    world.answers = [said]
    seen = engine.read(old)
    assert seen is not None
    assert seen.outputs == old.outputs
    assert any("keeps its entry as it was" in message for message in engine.log.messages)


def test_an_import_is_refused_since_creating_it_finds_what_is_there(engine: Engine) -> None:
    with pytest.raises(FailedError, match="there is nothing to import; create it"):
        engine.read(Object(urn("Mount"), {}, "vol-1"))


def test_a_deletion_waits_for_those_who_use_it(world: Machine, engine: Engine) -> None:
    old = made(world, engine)
    world.answers = [{"notYet": "/srv/data is in use: container 0123456789ab", "mounted": None}, DONE]
    engine.delete(old)
    assert [one["action"] for one in world.asked] == ["unmount", "unmount"]
    assert any("in use: container 0123456789ab" in message for message in engine.log.messages)


def test_a_deletion_that_has_to_wait_for_too_long_says_what_to_do(world: Machine, engine: Engine) -> None:
    old = made(world, engine)
    world.answers = [{"notYet": "/srv/data is in use: container 0123456789ab", "mounted": None}]
    with pytest.raises(FailedError, match=r"in use: container .*was taken away. Stop what uses it and run again; if"):
        engine.delete(old, timeout=0.1)


def test_a_machine_that_is_gone_for_a_while_took_its_mount_along(
    world: Machine, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mount, "GONE_AFTER", 0.05)
    old = made(world, engine)
    world.answers = ["ssh: connect to host w1 port 22: Connection refused"]
    engine.delete(old)
    assert any("/srv/data is gone with the machine" in message for message in engine.log.messages)


def test_a_machine_that_starts_anew_is_waited_for(world: Machine, engine: Engine) -> None:
    old = made(world, engine)
    refusal = "ssh: connect to host w1 port 22: Connection refused"
    world.answers = [refusal, refusal, refusal, DONE]
    engine.delete(old)
    assert world.answers == [DONE]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("ssh: connect to host w1 port 22: Connection timed out", "timed out.*`pulumi state delete`"),
        ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!", "HAS CHANGED for w1:22.*`pulumi state delete`"),
    ],
)
def test_a_machine_that_is_not_proved_gone_keeps_its_mount(
    world: Machine, engine: Engine, monkeypatch: pytest.MonkeyPatch, said: str, message: str
) -> None:
    monkeypatch.setattr(mount, "GONE_AFTER", 0.0)
    old = made(world, engine)
    world.answers = [said]
    with pytest.raises(FailedError, match=message):
        engine.delete(old, timeout=0.1)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Finished(127, "", "sh: 1: python3: not found"), "python3: not found: install python3"),
        (Finished(1, "", "sudo: a password is required"), r"connection.user is root, .*\(NOPASSWD\)"),
        (Finished(1, "", "Traceback\nOSError: [Errno 5] Input/output error"), "failed: OSError: .*Input/output error"),
        (Finished(0, "a banner", ""), "the program that mounts volumes failed: exit status 0"),
    ],
)
def test_a_machine_that_cannot_run_the_program_says_why(
    world: Machine, engine: Engine, answer: Finished, message: str
) -> None:
    world.answers = [answer]
    with pytest.raises(FailedError, match=message):
        engine.create("Mount", INPUTS)
