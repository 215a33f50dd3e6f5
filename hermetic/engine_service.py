"""Pulumi's Engine service: where the program and the plugins send their messages."""

# ruff: noqa: ARG002, N802  names and parameters of methods are the protocol's

import threading

import grpc
from google.protobuf import empty_pb2

from hermetic.events import Listener, Severity
from hermetic.protocol import engine_pb2, engine_pb2_grpc

_SEVERITIES = {
    engine_pb2.DEBUG: Severity.DEBUG,
    engine_pb2.INFO: Severity.INFO,
    engine_pb2.WARNING: Severity.WARNING,
    engine_pb2.ERROR: Severity.ERROR,
}


class EngineService(engine_pb2_grpc.EngineServicer):
    """Passes messages on to the display, and remembers whether one was an error."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._root = ""
        self.errors = 0
        # Set when the program's complaints are only about the engine's own end.
        self.muted = threading.Event()

    def Log(self, request: engine_pb2.LogRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        severity = _SEVERITIES.get(request.severity, Severity.INFO)
        if severity is Severity.ERROR:
            if self.muted.is_set():
                return empty_pb2.Empty()
            self.errors += 1
        self._listener.message(severity, request.urn or self._root, request.message, ephemeral=request.ephemeral)
        return empty_pb2.Empty()

    def GetRootResource(
        self,
        request: engine_pb2.GetRootResourceRequest,
        context: grpc.ServicerContext,
    ) -> engine_pb2.GetRootResourceResponse:
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(
        self,
        request: engine_pb2.SetRootResourceRequest,
        context: grpc.ServicerContext,
    ) -> engine_pb2.SetRootResourceResponse:
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def root_is(self, urn: str) -> None:
        """The stack resource: messages without a resource are shown with it."""
        self._root = urn
