"""The plugin as the engine starts it, and its own configuration."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from plugins.swarm.operation import Session
from plugins.swarm.values import UNKNOWN, encode
from tests.unit.swarm_plugin.client import LAUNCHER, Engine, FailedError
from tests.unit.swarm_plugin.fake_docker import connection

# An engine that does nothing but start the plugin. Not a shell's `&`, which makes whatever it starts ignore SIGINT.
ENGINE = "import subprocess, sys; subprocess.run(['sh', '-c', 'echo $$; exec \"$0\" 127.0.0.1:1', sys.argv[1]])"


def test_the_launcher_starts_a_plugin_that_answers_and_ends_with_its_engine() -> None:
    with Engine(identityFile="/nonexistent/key") as engine:
        assert engine.stub.GetPluginInfo(Empty()).version == "0.1.0"
        assert engine.stub.Handshake(provider_pb2.ProviderHandshakeRequest()).accept_secrets
        assert engine.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema.startswith('{"name": "swarm"')
        with pytest.raises(FailedError, match="identityFile is /nonexistent/key: no such file"):
            engine.create("Host", {"connection": connection("m1")})
    assert engine.process is not None
    assert engine.process.returncode == 0


def test_a_plugin_does_not_heed_ctrl_c_and_ends_when_its_engine_is_killed() -> None:
    engine = subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(LAUNCHER)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert engine.stdout is not None
    plugin, port = int(engine.stdout.readline()), int(engine.stdout.readline())
    os.kill(plugin, signal.SIGINT)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(Empty(), timeout=60).version == "0.1.0"
    engine.kill()
    engine.wait()
    # The pipe ends when the last process that holds it does.
    assert engine.stdout.read() == b""
    assert not Path(f"/proc/{plugin}/fd").is_dir() or not list(Path(f"/proc/{plugin}/fd").iterdir())


@pytest.mark.parametrize("options", ['["-J", "gate"]', ["-J", "gate"]])
def test_a_configuration_is_taken_in_either_form(engine: Engine, session: Session, options: object) -> None:
    configuration = encode({"identityFile": "~/key", "sshOptions": options})
    engine.stub.Configure(provider_pb2.ConfigureRequest(args=configuration))
    assert session.access.identity_file == str(Path("~/key").expanduser())
    assert session.access.options[:2] == ("-J", "gate")


@pytest.mark.parametrize(
    ("configuration", "reasons"),
    [
        ({"identityFile": "k", "sshOptions": "[]", "version": "1.0.0"}, []),
        ({"identityFile": UNKNOWN}, []),
        ({}, ["identityFile is required"]),
        ({"identityFile": ""}, ["identityFile is empty: leave it out or give it a value"]),
        ({"identityFile": "k", "sshOptions": "-v"}, ["sshOptions is '-v': expected a list"]),
        ({"identityFile": "k", "sshOptions": "[1]"}, ["sshOptions[0] is 1: expected text"]),
    ],
)
def test_a_wrong_configuration_is_refused(engine: Engine, configuration: dict[str, Any], reasons: list[str]) -> None:
    news = encode({**configuration, "__internal": {}})
    response = engine.stub.CheckConfig(provider_pb2.CheckRequest(news=news))
    assert [failure.reason for failure in response.failures] == reasons
    assert response.inputs == news


def test_another_key_updates_the_provider_and_replaces_nothing(engine: Engine) -> None:
    request = provider_pb2.DiffRequest(olds=encode({"identityFile": "a"}), news=encode({"identityFile": "b"}))
    response = engine.stub.DiffConfig(request)
    assert (list(response.diffs), list(response.replaces)) == (["identityFile"], [])
    request.news.CopyFrom(request.olds)
    assert engine.stub.DiffConfig(request).changes == provider_pb2.DiffResponse.DIFF_NONE
