"""What the containers of this node use, under cAdvisor's names, so that rules and dashboards work with either
(https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from .engine import Engine, EngineError
from .text import Families, label_name

_LABELS = (
    "com.docker.stack.namespace",
    "com.docker.swarm.node.id",
    "com.docker.swarm.service.id",
    "com.docker.swarm.service.name",
    "com.docker.swarm.task.id",
    "com.docker.swarm.task.name",
)
"""Of a container's labels those that say which task it is; others would be a time series for each of their values."""
_PERIOD = 100_000
_NANO = 1e9
_AT_ONCE = 32
"""An engine answers once a second for a container that nobody else watches."""
_NETWORK = {
    "bytes": "bytes",
    "packets": "packets",
    "errors": "errors",
    "dropped": "packets_dropped",
}


_Object = Mapping[str, Any]


class Containers:
    """The running containers of an engine; what never changes of one is asked for once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, Mapping[str, Any]] = {}

    def add_to(self, families: Families, now: float) -> None:
        """Samples of every container that runs. One that ends while it is asked about is left out."""
        running: list[str] = [one["Id"] for one in self._engine.get("/containers/json")]
        known = {identity: self._known[identity] for identity in running if identity in self._known}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(lambda identity: self._ask(identity, known.get(identity)), running))
        self._known = {one["Id"]: one for one, _ in filter(None, found)}
        for one in filter(None, found):
            add_container(families, *one, now)

    def _ask(self, identity: str, known: _Object | None) -> tuple[_Object, _Object] | None:
        """What a container is, and what it uses."""
        try:
            container = known or self._engine.get(f"/containers/{identity}/json")
            stats = self._engine.get(f"/containers/{identity}/stats", **{"stream": "false", "one-shot": "true"})
        except EngineError:
            return None
        return container, stats


def add_container(families: Families, container: Mapping[str, Any], stats: Mapping[str, Any], now: float) -> None:
    """Samples of one container: `container` as inspect gives it, `stats` of one moment."""
    labels = _identity(container)
    families.gauge("container_last_seen", "When it was last seen running (Unix time).", now, labels)
    started = _seconds(container["State"]["StartedAt"])
    families.gauge("container_start_time_seconds", "When it was started (Unix time).", started, labels)
    _add_limits(families, container["HostConfig"], labels)
    _add_cpu(families, stats.get("cpu_stats") or {}, labels)
    _add_memory(families, stats.get("memory_stats") or {}, labels)
    for interface, figures in sorted((stats.get("networks") or {}).items()):
        _add_network(families, figures, {**labels, "interface": interface})
    _add_disk(families, (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or (), labels)


def _identity(container: Mapping[str, Any]) -> dict[str, str]:
    own: Mapping[str, str] = container["Config"].get("Labels") or {}
    return {
        "id": f"/docker/{container['Id']}",
        "image": container["Config"]["Image"],
        "name": container["Name"].lstrip("/"),
        **{f"container_label_{label_name(name)}": own[name] for name in _LABELS if name in own},
    }


def _add_limits(families: Families, host: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    memory: int = host.get("Memory") or 0
    families.gauge("container_spec_memory_limit_bytes", "Memory limit, 0 for none.", memory, labels)
    if cpus := host.get("NanoCpus") or 0:
        families.gauge("container_spec_cpu_period", "Period of its CPU limit in microseconds.", _PERIOD, labels)
        quota = cpus / _NANO * _PERIOD
        families.gauge("container_spec_cpu_quota", "What it may use in each period, in microseconds.", quota, labels)


def _add_cpu(families: Families, cpu: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    usage: Mapping[str, int] = cpu.get("cpu_usage") or {}
    throttling: Mapping[str, int] = cpu.get("throttling_data") or {}
    total = {**labels, "cpu": "total"}
    seconds = (
        ("container_cpu_usage_seconds_total", "CPU time.", usage.get("total_usage", 0), total),
        ("container_cpu_system_seconds_total", "CPU time in the kernel.", usage.get("usage_in_kernelmode", 0), labels),
        ("container_cpu_user_seconds_total", "CPU time outside it.", usage.get("usage_in_usermode", 0), labels),
        (
            "container_cpu_cfs_throttled_seconds_total",
            "Time that its CPU limit held it up.",
            throttling.get("throttled_time", 0),
            labels,
        ),
    )
    for name, text, nanoseconds, own in seconds:
        families.counter(name, text, nanoseconds / _NANO, own)
    periods = throttling.get("periods", 0)
    families.counter("container_cpu_cfs_periods_total", "Periods of its CPU limit.", periods, labels)
    held = throttling.get("throttled_periods", 0)
    families.counter("container_cpu_cfs_throttled_periods_total", "Those in which it was held up.", held, labels)


def _add_memory(families: Families, memory: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    """Names of the kernel's figures are others in cgroup v1 (`total_…`) than in v2."""
    usage: int = memory.get("usage", 0)
    own: Mapping[str, int] = memory.get("stats") or {}
    inactive = own.get("total_inactive_file", own.get("inactive_file", 0))
    figures = (
        ("container_memory_usage_bytes", "Memory, with cached files.", usage),
        ("container_memory_working_set_bytes", "Memory that it cannot do without.", max(0, usage - inactive)),
        ("container_memory_rss", "Memory that is no cached file.", own.get("total_rss", own.get("anon", 0))),
        ("container_memory_cache", "Cached files.", own.get("total_cache", own.get("file", 0))),
    )
    for name, text, value in figures:
        families.gauge(name, text, value, labels)
    if "failcnt" in memory:
        families.counter("container_memory_failcnt", "How often it hit its limit.", memory["failcnt"], labels)


def _add_network(families: Families, figures: Mapping[str, int], labels: Mapping[str, str]) -> None:
    for prefix, direction in (("rx", "receive"), ("tx", "transmit")):
        for key, name in _NETWORK.items():
            families.counter(
                f"container_network_{direction}_{name}_total",
                f"Network: {direction} {key}.",
                figures.get(f"{prefix}_{key}", 0),
                labels,
            )


def _add_disk(families: Families, entries: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> None:
    for operation, name in (("read", "reads"), ("write", "writes")):
        total = sum(entry["value"] for entry in entries if entry["op"].lower() == operation)
        families.counter(f"container_fs_{name}_bytes_total", f"Disk: bytes of each {operation}.", total, labels)


def _seconds(text: str) -> float:
    """Unix time of Docker's times, whose nanoseconds are more than Python reads."""
    whole, _, rest = text.partition(".")
    return datetime.fromisoformat(whole.rstrip("Z") + "+00:00").timestamp() if rest or whole.endswith("Z") else 0.0
