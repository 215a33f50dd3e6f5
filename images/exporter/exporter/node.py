"""What this node knows of itself: the validity of its swarm certificate, the size of its Raft log, its network."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .text import Families

_CERTIFICATE = "certificates/swarm-node.crt"
_RAFT = {"wal": "raft/wal-v3-encrypted", "snapshot": "raft/snap-v3-encrypted"}
"""Where SwarmKit keeps the log and its snapshots (M44)."""
_COLUMNS = {
    "node_network_receive_bytes_total": 0,
    "node_network_receive_packets_total": 1,
    "node_network_receive_errs_total": 2,
    "node_network_receive_drop_total": 3,
    "node_network_transmit_bytes_total": 8,
    "node_network_transmit_packets_total": 9,
    "node_network_transmit_errs_total": 10,
    "node_network_transmit_drop_total": 11,
}
_LOOPBACK = "lo"


def add_certificate(families: Families, folder: Path) -> None:
    """From when until when the node's certificate is valid; nothing for a machine that is in no swarm."""
    path = folder / _CERTIFICATE
    if not path.exists():
        return
    words = ["openssl", "x509", "-noout", "-startdate", "-enddate", "-in", str(path)]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=5).stdout
    dates = dict(re.findall(r"^(\w+)=(.+)$", said, re.MULTILINE))
    for key, name, text in (
        ("notBefore", "flotilla_swarm_certificate_not_before_seconds", "Since when the node's certificate is valid."),
        ("notAfter", "flotilla_swarm_certificate_not_after_seconds", "Until when the node's certificate is valid."),
    ):
        families.gauge(name, f"{text} (Unix time)", ssl.cert_time_to_seconds(dates[key]), {})


def add_raft(families: Families, folder: Path) -> None:
    """Size and age of the Raft log on a manager's disk (M46); nothing for a worker."""
    for kind, relative in _RAFT.items():
        files = list(_files(folder / relative))
        if not files:
            continue
        size = sum(size for size, _ in files)
        families.gauge("flotilla_swarm_raft_bytes", "Bytes of the Raft log on disk.", size, {"kind": kind})
        newest = max(changed for _, changed in files)
        text = "When it was last written (Unix time)."
        families.gauge("flotilla_swarm_raft_written_seconds", text, newest, {"kind": kind})


def _files(folder: Path) -> Iterator[tuple[int, float]]:
    """Size and time of each file; one may be renamed or removed between the look and the question."""
    for path in sorted(folder.glob("*")):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        # Blocks, because a log file is made as large as it may become.
        yield found.st_blocks * 512, found.st_mtime


def add_network(families: Families, table: Path) -> None:
    """The machine's interfaces under the node exporter's names: in a container that one sees the container's alone."""
    for line in table.read_text().splitlines()[2:]:
        device, _, figures = line.strip().partition(":")
        values = [int(figure) for figure in figures.split()]
        if device == _LOOPBACK:
            continue
        for name, column in _COLUMNS.items():
            families.counter(name, "Network of the machine.", values[column], {"device": device})
