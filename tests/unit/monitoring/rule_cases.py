"""What each alert is for, as series that it is to see: cases for `promtool test rules`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.services.monitoring.alerts import AlertLimits, alerts

HOUR = 240
"""Samples in an hour: there is one every 15 seconds."""
SERVICE = "container_label_com_docker_swarm_service_name"
_DISK = '{node="worker-1",mountpoint="/data",fstype="ext4",device="sda"}'
_PLACE = {"node": "worker-1", "mountpoint": "/data", "fstype": "ext4", "device": "sda"}
_TASK = f'{{node="worker-1",{SERVICE}="web",name="web.1.x"}}'


@dataclass(frozen=True, kw_only=True)
class Case:
    """`series` in promtool's notation (`1x20` is a 1, and 20 more); at `at` the alert fires with these labels and this
    summary, or not at all where `summary` is empty."""

    sentence: str
    alert: str
    series: Mapping[str, str]
    at: str = "5m"
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    summary: str = ""

    def document(self) -> dict[str, Any]:
        """The case in promtool's words."""
        severity = {alert.name: alert.severity for alert in alerts(AlertLimits())}[self.alert]
        labels = {**self.labels, "severity": severity}
        firing = [{"exp_labels": labels, "exp_annotations": {"summary": self.summary}}] if self.summary else []
        return {
            "name": self.sentence,
            "interval": "15s",
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "alert_rule_test": [{"eval_time": self.at, "alertname": self.alert, "exp_alerts": firing}],
        }


def _managers(*reachable: str) -> dict[str, str]:
    return {
        f'flotilla_swarm_manager_reachable{{node="manager-{number}"}}': values
        for number, values in enumerate(reachable, start=1)
    }


def _disk(available: str, *, kind: str = "ext4", read_only: str = "0x2000") -> dict[str, str]:
    place = _DISK.replace("ext4", kind)
    return {
        f"node_filesystem_avail_bytes{place}": available,
        f"node_filesystem_size_bytes{place}": "1000x2000",
        f"node_filesystem_readonly{place}": read_only,
    }


def _certificate(until: int) -> dict[str, str]:
    return {
        'flotilla_swarm_certificate_not_before_seconds{node="worker-1"}': "-4200x40",
        'flotilla_swarm_certificate_not_after_seconds{node="worker-1"}': f"{until}x40",
    }


def _container(used: str, limit: str) -> dict[str, str]:
    return {
        f"container_memory_working_set_bytes{_TASK}": used,
        f"container_spec_memory_limit_bytes{_TASK}": limit,
    }


CASES = (
    Case(
        sentence="one of three managers is lost",
        alert="QuorumAtRisk",
        series=_managers("1x40", "1x40", "0x40"),
        summary="Only 2 managers are reachable: when one more is lost, nothing can be changed any more.",
    ),
    Case(
        sentence="one of five managers is lost, and one more may be",
        alert="QuorumAtRisk",
        series=_managers("1x40", "1x40", "1x40", "1x40", "0x40"),
    ),
    Case(
        sentence="two of five managers are lost",
        alert="QuorumAtRisk",
        series=_managers("1x40", "1x40", "1x40", "0x40", "0x40"),
        summary="Only 3 managers are reachable: when one more is lost, nothing can be changed any more.",
    ),
    Case(sentence="a swarm of one manager was meant so", alert="QuorumAtRisk", series=_managers("1x40")),
    Case(sentence="three managers are well", alert="QuorumAtRisk", series=_managers("1x40", "1x40", "1x40")),
    Case(
        sentence="a manager came back before anybody had to be told",
        alert="QuorumAtRisk",
        series=_managers("1x40", "1x40", "1x8 0x2 1x30"),
        at="3m",
    ),
    Case(
        sentence="no manager answers",
        alert="SwarmUnreadable",
        series={'up{job="swarm",instance="monitoring-swarm-exporter"}': "0x40"},
        summary="No manager tells the state of the swarm: the quorum may be lost.",
    ),
    Case(
        sentence="nobody is there who would ask a manager",
        alert="SwarmUnreadable",
        series={'up{job="node",instance="x"}': "1x40"},
        summary="No manager tells the state of the swarm: the quorum may be lost.",
    ),
    Case(
        sentence="a manager answers",
        alert="SwarmUnreadable",
        series={'up{job="swarm",instance="monitoring-swarm-exporter"}': "1x40"},
    ),
    Case(
        sentence="a node is down, and another one is not",
        alert="NodeDown",
        series={
            'flotilla_swarm_node_ready{node="worker-1",role="worker",node_id="a"}': "0x40",
            'flotilla_swarm_node_ready{node="worker-2",role="worker",node_id="b"}': "1x40",
        },
        labels={"node": "worker-1", "role": "worker", "node_id": "a"},
        summary="The managers hear nothing of worker worker-1.",
    ),
    Case(
        sentence="a node came back",
        alert="NodeDown",
        series={'flotilla_swarm_node_ready{node="worker-1",role="worker",node_id="a"}': "0x10 1x30"},
    ),
    Case(
        sentence="a file system has 5 % left",
        alert="DiskFilling",
        series=_disk("50x40"),
        labels=_PLACE,
        summary="/data on worker-1 has 5.0 % left.",
    ),
    Case(sentence="a file system has 11 % left", alert="DiskFilling", series=_disk("110x40")),
    Case(sentence="a full CD is no wonder", alert="DiskFilling", series=_disk("0x40", kind="iso9660")),
    Case(
        sentence="what nobody can write to does not fill",
        alert="DiskFilling",
        series=_disk("50x40", read_only="1x2000"),
    ),
    Case(
        sentence="a file system loses 3 % an hour and has 20 % left",
        alert="DiskFullTomorrow",
        series=_disk(f"384-0.125x{8 * HOUR}"),
        at="6h",
        labels=_PLACE,
        summary="/data on worker-1 is full within a day if it goes on like this.",
    ),
    Case(
        sentence="a file system loses 3 % an hour and has 80 % left",
        alert="DiskFullTomorrow",
        series=_disk(f"980-0.125x{8 * HOUR}"),
        at="6h",
    ),
    Case(
        sentence="a certificate has 10 % of its validity left",
        alert="CertificateExpiring",
        series=_certificate(800),
        labels={"node": "worker-1"},
        summary="The swarm certificate of worker-1 was not renewed: 10 % of its validity is left.",
    ),
    Case(sentence="a certificate was renewed in time", alert="CertificateExpiring", series=_certificate(3000)),
    Case(
        sentence="a target gives nothing",
        alert="TargetDown",
        series={'up{job="node",instance="monitoring-node-exporter.worker-1"}': "0x40"},
        labels={"job": "node", "instance": "monitoring-node-exporter.worker-1"},
        summary="node on monitoring-node-exporter.worker-1 gives no metrics.",
    ),
    Case(
        sentence="a target answers",
        alert="TargetDown",
        series={'up{job="node",instance="monitoring-node-exporter.worker-1"}': "1x40"},
    ),
    Case(
        sentence="a service has two of three tasks",
        alert="ServiceBelowReplicas",
        series={
            'flotilla_swarm_service_tasks_desired{service="web",mode="replicated"}': "3x40",
            'flotilla_swarm_service_tasks_running{service="web",mode="replicated"}': "2x40",
        },
        labels={"service": "web", "mode": "replicated"},
        summary="Service web has only 2 of its tasks running.",
    ),
    Case(
        sentence="a service that was scaled to nothing has what it should",
        alert="ServiceBelowReplicas",
        series={
            'flotilla_swarm_service_tasks_desired{service="web",mode="replicated"}': "0x40",
            'flotilla_swarm_service_tasks_running{service="web",mode="replicated"}': "0x40",
        },
    ),
    Case(
        sentence="an update lacks a task for half a minute",
        alert="ServiceBelowReplicas",
        series={
            'flotilla_swarm_service_tasks_desired{service="web",mode="replicated"}': "3x40",
            'flotilla_swarm_service_tasks_running{service="web",mode="replicated"}': "3x18 2x2 3x18",
        },
    ),
    Case(
        sentence="an update stopped",
        alert="ServiceUpdatePaused",
        series={'flotilla_swarm_service_update_paused{service="web"}': "1x40"},
        labels={"service": "web"},
        summary="An update of service web stopped halfway.",
    ),
    Case(
        sentence="no update stopped",
        alert="ServiceUpdatePaused",
        series={'flotilla_swarm_service_update_paused{service="web"}': "0x40"},
    ),
    Case(
        sentence="a container uses 95 of its 100 bytes",
        alert="ContainerNearMemoryLimit",
        series=_container("95x40", "100x40"),
        labels={"node": "worker-1", SERVICE: "web", "name": "web.1.x"},
        summary="A task of web on worker-1 uses 95 % of its memory limit.",
    ),
    Case(
        sentence="a container uses half of its limit",
        alert="ContainerNearMemoryLimit",
        series=_container("50x40", "100x40"),
    ),
    Case(
        sentence="a container without a limit is near none",
        alert="ContainerNearMemoryLimit",
        series=_container("95x40", "0x40"),
    ),
    Case(
        sentence="log and snapshots together are more than the limit",
        alert="RaftLogLarge",
        series={
            'flotilla_swarm_raft_bytes{node="manager-1",kind="wal"}': "400000000x40",
            'flotilla_swarm_raft_bytes{node="manager-1",kind="snapshot"}': "200000000x40",
        },
        labels={"node": "manager-1"},
        summary="The Raft log on manager-1 has 572.2MiB (M46).",
    ),
    Case(
        sentence="a Raft log of 64 MB is nothing",
        alert="RaftLogLarge",
        series={'flotilla_swarm_raft_bytes{node="manager-1",kind="wal"}': "64000000x40"},
    ),
    Case(
        sentence="every change takes four seconds",
        alert="RaftSlow",
        series={
            'swarm_raft_transaction_latency_seconds_bucket{node="manager-1",le="2"}': "0x80",
            'swarm_raft_transaction_latency_seconds_bucket{node="manager-1",le="4"}': "0+1x80",
            'swarm_raft_transaction_latency_seconds_bucket{node="manager-1",le="+Inf"}': "0+1x80",
        },
        at="10m",
        labels={"node": "manager-1"},
        summary="Managers agree slowly: manager-1 needs 3.98s for a change.",
    ),
    Case(
        sentence="changes take a tenth of a second",
        alert="RaftSlow",
        series={
            'swarm_raft_transaction_latency_seconds_bucket{node="manager-1",le="0.1"}': "0+1x80",
            'swarm_raft_transaction_latency_seconds_bucket{node="manager-1",le="+Inf"}': "0+1x80",
        },
        at="10m",
    ),
)
