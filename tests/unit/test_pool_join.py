"""The program that makes a new machine of the pool a worker, against an engine on a socket."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.clouds.aws.agents import FOLDER, join_worker, program_files
from components.clouds.aws.agents.engine import Engine, EngineError
from components.clouds.aws.agents.join_worker import (
    LONGEST_WAIT,
    Clock,
    Invitation,
    NotJoinedError,
    address_towards,
    join,
    read_invitation,
)
from tests.unit.fake_engine import FakeEngine, RefusedError, serve

TOKEN = "SWMTKN-1-sentinel"
MANAGERS = ["10.60.0.11:2377", "10.60.32.11:2377"]


class Time:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, sleep=self.sleep)


class Parameter:
    """Systems Manager with one parameter; each of `failures` comes once, before it answers."""

    def __init__(self, *failures: Exception, token: str = TOKEN) -> None:
        self.failures = list(failures)
        self.token = token
        self.asked: list[dict[str, Any]] = []

    def get_parameter(self, **arguments: Any) -> dict[str, Any]:
        self.asked.append(arguments)
        if self.failures:
            raise self.failures.pop(0)
        return {"Parameter": {"Value": json.dumps({"managers": MANAGERS, "token": self.token})}}


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def socket(engine: FakeEngine, tmp_path: Path) -> Iterator[str]:
    with serve(engine, tmp_path / "docker.sock") as path:
        yield path


def attempt(socket: str, parameter: Parameter, time: Time | None = None, seconds: float = 300) -> bool:
    return join(
        Engine(socket),
        lambda: read_invitation(parameter, "/flotilla-dev/worker-join"),
        lambda manager: f"towards {manager}",
        (time or Time()).clock,
        seconds,
    )


def test_a_machine_joins_with_the_token_from_its_parameter(engine: FakeEngine, socket: str) -> None:
    parameter = Parameter()
    assert attempt(socket, parameter)
    assert parameter.asked == [{"Name": "/flotilla-dev/worker-join", "WithDecryption": True}]
    assert engine.requests == [
        (
            "POST",
            "/swarm/join",
            {
                "ListenAddr": "0.0.0.0:2377",
                "AdvertiseAddr": "towards 10.60.0.11:2377",
                "RemoteAddrs": MANAGERS,
                "JoinToken": TOKEN,
            },
        )
    ]


def test_a_machine_that_is_in_the_swarm_already_reads_no_token_and_joins_nothing(
    engine: FakeEngine, socket: str
) -> None:
    engine.swarm["LocalNodeState"] = "active"
    parameter = Parameter()
    assert attempt(socket, parameter)
    assert parameter.asked == []
    assert engine.requests == []


def test_what_fails_is_tried_again_until_it_works(engine: FakeEngine, socket: str) -> None:
    def refuse() -> None:
        raise RefusedError(500, "rpc error: connection refused")

    engine.joins = [refuse, refuse]
    parameter = Parameter(RuntimeError("AccessDeniedException: not yet"), RuntimeError("ParameterNotFound"))
    time = Time()
    assert attempt(socket, parameter, time)
    assert len(time.waits) == 4


def test_an_engine_that_does_not_listen_yet_is_waited_for(engine: FakeEngine, tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    server = serve(engine, path)
    time = Time()

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if len(time.waits) == 2:
            server.__enter__()

    clock = Clock(now=lambda: time.seconds, sleep=sleep)
    try:
        assert join(Engine(str(path)), lambda: Invitation(MANAGERS, TOKEN), lambda _: "10.60.0.40", clock)
    finally:
        server.__exit__(None, None, None)
    assert len(time.waits) == 2


def test_a_token_that_is_rotated_meanwhile_is_read_anew(engine: FakeEngine, socket: str) -> None:
    parameter = Parameter(token="SWMTKN-1-old")

    def refuse() -> None:
        parameter.token = "SWMTKN-1-new"
        raise RefusedError(500, "invalid join token")

    engine.joins = [refuse]
    assert attempt(socket, parameter)
    assert [body["JoinToken"] for _, _, body in engine.requests] == ["SWMTKN-1-old", "SWMTKN-1-new"]


def test_a_join_that_goes_on_in_the_background_is_waited_for_and_not_begun_again(
    engine: FakeEngine, socket: str
) -> None:
    def pend() -> None:
        engine.swarm["LocalNodeState"] = "pending"
        raise RefusedError(503, "Timeout was reached before node joined. The attempt continues in the background.")

    engine.joins = [pend]
    time = Time()

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if len(time.waits) == 3:
            engine.swarm["LocalNodeState"] = "active"

    clock = Clock(now=lambda: time.seconds, sleep=sleep)
    assert join(Engine(socket), lambda: Invitation(MANAGERS, TOKEN), lambda _: "10.60.0.40", clock)
    assert len(engine.requests) == 1


def test_a_membership_that_ended_is_left_before_the_machine_joins_anew(engine: FakeEngine, socket: str) -> None:
    engine.swarm["LocalNodeState"] = "error"
    assert attempt(socket, Parameter())
    assert [address for _, address, _ in engine.requests] == ["/swarm/leave?force=true", "/swarm/join"]


def test_the_attempts_end_at_the_deadline(socket: str) -> None:
    parameter = Parameter(*[RuntimeError("ParameterNotFound")] * 1000)
    time = Time()
    assert not attempt(socket, parameter, time, seconds=600)
    assert 600 <= time.seconds < 600 + LONGEST_WAIT


def test_waits_grow_by_chance_up_to_a_minute(socket: str) -> None:
    parameters = [Parameter(*[RuntimeError("ThrottlingException")] * 1000) for _ in range(2)]
    times = [Time(), Time()]
    for parameter, time in zip(parameters, times, strict=True):
        attempt(socket, parameter, time, seconds=1200)
    assert times[0].waits != times[1].waits
    for time in times:
        assert 1 <= time.waits[0] <= 2
        assert max(time.waits) <= LONGEST_WAIT
        assert all(wait >= 30 for wait in time.waits[6:])


def test_the_token_is_never_logged(engine: FakeEngine, socket: str, caplog: pytest.LogCaptureFixture) -> None:
    def repeat() -> None:
        raise RefusedError(500, f"cannot join with {TOKEN}")

    engine.joins = [repeat]
    with caplog.at_level(logging.DEBUG):
        assert attempt(socket, Parameter())
    assert "cannot join with <token>" in caplog.text
    assert TOKEN not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize("text", ['{"token": "SWMTKN-1-sentinel"}', '["SWMTKN-1-sentinel"]', "SWMTKN-1-sentinel", "7"])
def test_a_parameter_of_another_form_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(NotJoinedError) as refusal:
        Invitation.parse(text)
    assert "sentinel" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_the_machines_own_address_is_the_one_on_the_way_to_a_manager() -> None:
    assert address_towards("127.0.0.1:2377") == "127.0.0.1"


def test_a_refusal_of_the_engine_is_told_in_its_own_words(engine: FakeEngine, socket: str) -> None:
    engine.refusals["GET /info"] = RefusedError(500, "no space left on device")
    with pytest.raises(EngineError, match=r"^no space left on device \(HTTP 500\)$"):
        Engine(socket).call("GET", "/info")


@pytest.fixture
def machine(engine: FakeEngine, socket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parameter:
    """A machine with its settings, an engine and AWS's library, which knows the parameter."""
    parameter = Parameter()
    settings = tmp_path / "join.json"
    settings.write_text(json.dumps({"region": "eu-central-1", "parameter": "/flotilla-dev/worker-join"}))

    def client(service: str, region_name: str) -> Parameter:
        assert (service, region_name) == ("ssm", "eu-central-1")
        return parameter

    monkeypatch.setitem(sys.modules, "boto3", SimpleNamespace(client=client))
    monkeypatch.setattr(join_worker, "SETTINGS", settings)
    monkeypatch.setattr(join_worker, "Engine", lambda: Engine(socket))
    monkeypatch.setattr(join_worker, "address_towards", lambda manager: "10.60.0.40")
    return parameter


def test_the_program_joins_by_the_settings_on_its_machine(engine: FakeEngine, machine: Parameter) -> None:
    assert join_worker.main() == 0
    assert engine.swarm["LocalNodeState"] == "active"
    assert machine.asked == [{"Name": "/flotilla-dev/worker-join", "WithDecryption": True}]


def test_the_program_fails_when_the_machine_does_not_get_in(
    machine: Parameter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join_worker, "join", lambda *arguments: False)
    assert join_worker.main() == 1


@pytest.mark.parametrize("name", ["join_worker", "pool_agent"])
def test_a_shipped_program_needs_nothing_but_pythons_own_library_to_start(name: str, tmp_path: Path) -> None:
    for path, content in program_files(name).items():
        file = tmp_path / Path(path).relative_to(FOLDER)
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    code = f"import agents.{name} as program; print(program.__file__, callable(program.main))"
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, env={}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "agents" / f"{name}.py"), "True"]
