"""Messages and stubs of Pulumi's protocols, without the SDK around them: importing that takes half a second."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.runtime.proto import (
        alias_pb2,
        callback_pb2,
        callback_pb2_grpc,
        engine_pb2,
        engine_pb2_grpc,
        provider_pb2,
        provider_pb2_grpc,
        resource_pb2,
        resource_pb2_grpc,
        status_pb2,
    )
else:
    import importlib
    import importlib.util
    import sys
    from pathlib import Path
    from types import ModuleType
    from typing import Any

    _PACKAGE = "hermetic.pulumi_proto"

    def _package() -> str:
        """The name of the package of stubs: the SDK's own when it is imported anyway."""
        if "pulumi" in sys.modules:
            return "pulumi.runtime.proto"
        found = importlib.util.find_spec("pulumi")
        if found is None or not found.submodule_search_locations:
            raise ImportError("the Python package pulumi is not installed: its protocol stubs are needed")
        package = ModuleType(_PACKAGE)
        package.__path__ = [str(Path(found.submodule_search_locations[0]) / "runtime" / "proto")]
        sys.modules[_PACKAGE] = package
        return _PACKAGE

    _NAME = _package()

    def _load(name: str) -> Any:
        return importlib.import_module(f"{_NAME}.{name}")

    alias_pb2 = _load("alias_pb2")
    callback_pb2 = _load("callback_pb2")
    callback_pb2_grpc = _load("callback_pb2_grpc")
    engine_pb2 = _load("engine_pb2")
    engine_pb2_grpc = _load("engine_pb2_grpc")
    provider_pb2 = _load("provider_pb2")
    provider_pb2_grpc = _load("provider_pb2_grpc")
    resource_pb2 = _load("resource_pb2")
    resource_pb2_grpc = _load("resource_pb2_grpc")
    status_pb2 = _load("status_pb2")

__all__ = [
    "alias_pb2",
    "callback_pb2",
    "callback_pb2_grpc",
    "engine_pb2",
    "engine_pb2_grpc",
    "provider_pb2",
    "provider_pb2_grpc",
    "resource_pb2",
    "resource_pb2_grpc",
    "status_pb2",
]
