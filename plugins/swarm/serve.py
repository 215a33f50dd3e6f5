"""The plugin's process: serve on a loopback port, print it as the first line, end when the engine does."""

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from plugins.swarm.journal import Journal
from plugins.swarm.operation import Session
from plugins.swarm.server import Server

# Threads are made as they are needed: all operations of a large stack at once, and Cancel besides.
THREADS = 256
LARGEST_MESSAGE = 400 * 1024 * 1024
# How often we look whether the engine still lives, and for tunnels that nobody uses, in seconds.
HEARTBEAT = 2.0


def serve(engine_address: str) -> None:
    """Serve one engine until it ends."""
    engine = os.getppid()
    session, ended = Session(), threading.Event()
    server = grpc.server(
        ThreadPoolExecutor(THREADS),
        options=[
            ("grpc.max_receive_message_length", LARGEST_MESSAGE),
            ("grpc.max_send_message_length", LARGEST_MESSAGE),
        ],
    )
    journal = Journal(engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Server(session, journal), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # Ctrl-C reaches the whole process group; the engine turns it into a Cancel, which is for us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not ended.wait(HEARTBEAT) and os.getppid() == engine:
        session.tunnels.sweep()
    session.cancelled.set()
    session.tunnels.close()
    server.stop(grace=None)
    # Threads that still wait on a daemon would hold the process for their whole timeout.
    os._exit(0)
