"""Runs the whole program under mocks and gives what it registered, as JSON. A process of its own for each graph, since
the SDK keeps state between programs and mocks can hang."""

import asyncio
import gc
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.mocks import MockEngine, MockMonitor, Mocks, MockSettings
from pulumi.runtime.proto import resource_pb2, source_pb2

from components.clouds.cloud import Image
from components.clouds.local.cloud import LocalImages
from images.recipe import SERVICES
from stacks.composed import load_composed
from stacks.deploy import deploy
from stacks.load import PROJECT_FOLDER, Inputs, parse_settings
from tests.graph import computed_aws, computed_openstack

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
SENTINEL = "sentinel-secret"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
COMPUTED = {**computed_aws.AWS, **computed_openstack.OPENSTACK}
INVOKES = {**computed_aws.INVOKES, **computed_openstack.INVOKES}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


def secret(name: str) -> dict[str, str]:
    """A secret on the wire whose value every test can look for."""
    return {SIGNATURE: SECRET, "value": f"{SENTINEL}-{name}"}


def computed(kind: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs that a provider would add, by resource type."""
    tables: dict[str, Callable[[], dict[str, Any]]] = {
        "tls:index/privateKey:PrivateKey": lambda: {
            "privateKeyPem": secret(name),
            "privateKeyOpenssh": secret(name),
            "publicKeyOpenssh": PUBLIC_KEY + "\n",
        },
        "tls:index/selfSignedCert:SelfSignedCert": lambda: {"certPem": CERTIFICATE},
        "tls:index/certRequest:CertRequest": lambda: {"certRequestPem": "request"},
        "tls:index/locallySignedCert:LocallySignedCert": lambda: {"certPem": CERTIFICATE},
        "random:index/randomPassword:RandomPassword": lambda: {
            "result": secret(name),
            "bcryptHash": secret(f"{name}-hash"),
        },
        "swarm:index:Host": lambda: {"hostname": name, "engineVersion": "20.10.24", "cpus": 1, "memory": 2**30},
        "swarm:index:Cluster": lambda: {
            "clusterId": "cluster-1",
            "managerAddresses": ["10.60.0.11:2377"],
            "workerToken": secret(name),
            "managerToken": secret(name),
            "unlockKey": secret(name),
            "endpoint": "ssh://root@127.0.0.1:2211",
            "endpointHostKey": PUBLIC_KEY,
        },
        "swarm:index:Node": lambda: {"nodeId": f"{name}-id", "hostname": name, "address": "10.60.0.11"},
        "swarm:index:Job": lambda: {"exitCode": 0, "logs": ["a warning", "42"], "output": ["42"], "nodeId": "n1"},
        "swarm:index:Mount": lambda: {
            "path": inputs.get("path"),
            "device": "/dev/nvme1n1",
            "uuid": "5b1f0f5e-9d0c-5c3e-8c5e-2f4f7c1d9a10",
            "formatted": True,
        },
        "docker:index/secret:Secret": lambda: {"name": f"{name}-1234567"},
        "docker:index/serviceConfig:ServiceConfig": lambda: {"name": f"{name}-1234567"},
    }
    tables |= {token: partial(make, name, inputs) for token, make in COMPUTED.items()}
    added = tables[kind]() if kind in tables else {}
    return {key: value for key, value in added.items() if key not in inputs}


class NoMocks(Mocks):
    """The SDK wants mocks; the recorder answers before they are asked."""

    def new_resource(self, args: Any) -> Any:
        raise NotImplementedError(args.name)

    def call(self, args: Any) -> Any:
        raise NotImplementedError(args.token)


class Recorder(MockMonitor):
    """A monitor that answers as the engine would and keeps every request."""

    def __init__(self, *, preview: bool, earlier: dict[str, dict[str, Any]]) -> None:
        super().__init__(NoMocks())
        self.preview = preview
        self.earlier = earlier
        self.requests: list[dict[str, Any]] = []
        self.outputs: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name and messages
        urn = self.make_urn(request.parent, request.type, request.name)
        record: dict[str, Any] = json_format.MessageToDict(request)
        self.requests.append({"urn": urn, **record})
        if not request.custom:
            # The engine gives a component the outputs that it registered the last time.
            known = struct_pb2.Struct()
            known.update(self.earlier.get(urn, {}))
            return resource_pb2.RegisterResourceResponse(urn=urn, object=known)
        inputs = record.get("object", {})
        answer = struct_pb2.Struct()
        answer.update(inputs if self.preview else {**inputs, **computed(request.type, request.name, inputs)})
        identity = "" if self.preview else f"{request.name}-id"
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=answer)

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - the protocol's name and messages
        # Default providers are switched off, and the engine would refuse.
        assert request.provider, request.tok
        answer = struct_pb2.Struct()
        answer.update(INVOKES[request.tok](json_format.MessageToDict(request.args)))
        result: dict[str, Any] = {"return": answer}
        return resource_pb2.ResourceInvokeResponse(**result)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the protocol's name and messages
        self.outputs[request.urn] = json_format.MessageToDict(request.outputs)
        return empty_pb2.Empty()


def fake_inputs(settings: dict[str, Any]) -> Inputs:
    """The settings under test with files that need not exist, but for that of a registry's authority."""
    images = {name: Image(repository=name, digest="sha256:" + "0" * 64) for name in SERVICES}
    parsed = parse_settings(settings)
    authority = parsed.registry.authority_file
    inputs = Inputs(
        stack="dev",
        settings=parsed,
        ssh_public_key=PUBLIC_KEY,
        identity_file="/project/.flotilla/id_ed25519",
        registry_authority=(PROJECT_FOLDER / authority).read_text() if authority else None,
        sources={"mine.py": "print(1)\n"},
        composed=load_composed(parsed, PROJECT_FOLDER),
    )
    if parsed.cloud != "local":
        return replace(inputs, service_images=images)
    return replace(
        inputs,
        images=LocalImages(
            machine="flotilla/machine:1",
            registry="flotilla/registry-content:1",
            haproxy="flotilla/haproxy:1",
            services=images,
        ),
        capabilities=("CAP_NET_ADMIN", "CAP_SYS_ADMIN"),
    )


def configure(recorder: Recorder) -> None:
    """As `set_mocks` does, but without its root stack: the program makes its own, and outputs are registered on it."""
    features = recorder.GetDeploymentInfo(empty_pb2.Empty()).supportedFeatures
    settings = MockSettings(
        monitor=recorder,
        monitor_features=set(features),
        engine=MockEngine(None),
        project="flotilla",
        stack="dev",
        dry_run=recorder.preview,
        organization="organization",
        callbacks=None,
    )
    pulumi.runtime.configure(settings)


def recorded(order: dict[str, Any]) -> dict[str, Any]:
    """What the program registers for the order's settings and mode."""
    # As the program itself does.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    recorder = Recorder(preview=order["mode"] == "preview", earlier=order["earlier"])
    configure(recorder)
    asyncio.run(pulumi.runtime.run_in_stack(lambda: deploy(fake_inputs(order["settings"]))))
    return {"requests": recorder.requests, "outputs": recorder.outputs}


def serve() -> None:
    """Answer orders, a line of JSON each, in forks of this process: what takes the time is importing the clouds' SDKs.

    The answer goes to the file that the order names; a line with the exit code says that it is there.
    """
    # Imported by the program only for their own cloud, and then in parts.
    for name in ("aws", "openstack"):
        importlib.import_module(f"components.clouds.{name}.cloud")
    for name in ("autoscaling", "iam", "ssm"):
        # Lazy, and read at the first look into it.
        vars(importlib.import_module(f"pulumi_aws.{name}"))
    # Where in the program a resource stands is no part of a graph, and to look for it takes a sixth of the time.
    pulumi.runtime.resource._get_stack_trace = source_pb2.StackTrace
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                order = json.loads(line)
                Path(order["answer"]).write_text(json.dumps(recorded(order)))
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def main() -> None:
    """Settings and mode come as JSON on standard input, once, or as long as there are any (`serve`)."""
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        json.dump(recorded(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
