"""Messages to the user while an operation runs: progress lines and warnings, through the engine's own log."""

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class Journal:
    """The engine's log; without an engine's address (a plugin started by hand) it says nothing."""

    def __init__(self, engine_address: str) -> None:
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine_address)) if engine_address else None

    def status(self, urn: str, message: str) -> None:
        """Say what is going on right now: shown beside the resource, then forgotten."""
        self._send(urn, message, engine_pb2.INFO, ephemeral=True)

    def warn(self, urn: str, message: str) -> None:
        """Say what the user should know and may have to act on."""
        self._send(urn, message, engine_pb2.WARNING, ephemeral=False)

    def debug(self, urn: str, message: str) -> None:
        """Say what helps to find a defect of the plugin."""
        self._send(urn, message, engine_pb2.DEBUG, ephemeral=False)

    def _send(self, urn: str, message: str, severity: engine_pb2.LogSeverity.ValueType, *, ephemeral: bool) -> None:
        if self._stub is None:
            return
        try:
            self._stub.Log(
                engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=ephemeral), timeout=5
            )
        except grpc.RpcError:
            # The engine is ending: there is nobody left to tell, and the operation itself is not the worse for it.
            return
