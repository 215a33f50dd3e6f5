"""When somebody is told: each alert is one row, in Prometheus' own words. Pure; `promtool test rules` tries each."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml

from components.services.monitoring.names import FILE_SYSTEMS, SERVICE_OF_CONTAINER, SWARM_JOB

RULES_PATH: Final = "/etc/prometheus/rules.yml"
_MANAGERS = "flotilla_swarm_manager_reachable"
_FREE = f"node_filesystem_avail_bytes{{{FILE_SYSTEMS}}} / node_filesystem_size_bytes{{{FILE_SYSTEMS}}} * 100"
_WRITABLE = f"and node_filesystem_readonly{{{FILE_SYSTEMS}}} == 0"
_AFTER_AN_HOUR = "1h"


@dataclass(frozen=True, kw_only=True)
class AlertLimits:
    """Where alerts begin. `after` is how long something lasts before it is told; `raft_bytes` is the size of a
    manager's Raft log, `raft_seconds` what a change may take, `certificate_left_percent` a part of its validity."""

    after: str = "1m"
    disk_free_percent: float = 10
    memory_percent: float = 90
    raft_bytes: int = 512 * 2**20
    raft_seconds: float = 1
    certificate_left_percent: float = 15


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One rule; `summary` may use the labels and the value of what it found."""

    name: str
    severity: Literal["critical", "warning"]
    expression: str
    summary: str
    after: str | None = None

    def rule(self, limits: AlertLimits) -> dict[str, Any]:
        """The rule in Prometheus' words."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.after or limits.after,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary},
        }


def alerts(limits: AlertLimits) -> tuple[Alert, ...]:
    """Every alert, those that cannot wait first."""
    return (*_of_managers(), *_of_nodes(limits), *_of_services(limits), *_of_raft(limits))


def render_rules(limits: AlertLimits) -> str:
    """The whole rule file."""
    group = {"name": "flotilla", "rules": [alert.rule(limits) for alert in alerts(limits)]}
    return yaml.safe_dump({"groups": [group]}, sort_keys=False, width=1000)


def _of_managers() -> tuple[Alert, ...]:
    return (
        Alert(
            name="QuorumAtRisk",
            severity="critical",
            # A swarm of one manager was built without a reserve, and its plan says so once.
            expression=f"sum({_MANAGERS}) <= floor(count({_MANAGERS}) / 2) + 1 and count({_MANAGERS}) > 1",
            summary="Only {{ $value }} managers are reachable: when one more is lost, nothing can be changed any more.",
        ),
        Alert(
            name="SwarmUnreadable",
            severity="critical",
            expression=f'absent(up{{job="{SWARM_JOB}"}} == 1)',
            summary="No manager tells the state of the swarm: the quorum may be lost.",
        ),
    )


def _of_nodes(limits: AlertLimits) -> tuple[Alert, ...]:
    return (
        Alert(
            name="NodeDown",
            severity="critical",
            expression="flotilla_swarm_node_ready == 0",
            summary="The managers hear nothing of {{ $labels.role }} {{ $labels.node }}.",
        ),
        Alert(
            name="DiskFilling",
            severity="critical",
            expression=f"{_FREE} < {limits.disk_free_percent:g} {_WRITABLE}",
            summary='{{ $labels.mountpoint }} on {{ $labels.node }} has {{ printf "%.1f" $value }} % left.',
        ),
        Alert(
            name="DiskFullTomorrow",
            severity="warning",
            expression=f"predict_linear(node_filesystem_avail_bytes{{{FILE_SYSTEMS}}}[6h], 86400) < 0"
            f" and {_FREE} < 40 {_WRITABLE}",
            after=_AFTER_AN_HOUR,
            summary="{{ $labels.mountpoint }} on {{ $labels.node }} is full within a day if it goes on like this.",
        ),
        Alert(
            name="CertificateExpiring",
            severity="critical",
            # The swarm renews a certificate between half and four fifths of its validity, however long that is.
            expression="(flotilla_swarm_certificate_not_after_seconds - time())"
            " / (flotilla_swarm_certificate_not_after_seconds - flotilla_swarm_certificate_not_before_seconds)"
            f" * 100 < {limits.certificate_left_percent:g}",
            summary="The swarm certificate of {{ $labels.node }} was not renewed: "
            '{{ printf "%.0f" $value }} % of its validity is left.',
        ),
        Alert(
            name="TargetDown",
            severity="warning",
            expression="up == 0",
            summary="{{ $labels.job }} on {{ $labels.instance }} gives no metrics.",
        ),
    )


def _of_services(limits: AlertLimits) -> tuple[Alert, ...]:
    by_task = f"node, {SERVICE_OF_CONTAINER}, name"
    return (
        Alert(
            name="ServiceBelowReplicas",
            severity="critical",
            expression="flotilla_swarm_service_tasks_running < flotilla_swarm_service_tasks_desired",
            summary="Service {{ $labels.service }} has only {{ $value }} of its tasks running.",
        ),
        Alert(
            name="ServiceUpdatePaused",
            severity="warning",
            expression="flotilla_swarm_service_update_paused == 1",
            summary="An update of service {{ $labels.service }} stopped halfway.",
        ),
        Alert(
            name="ContainerNearMemoryLimit",
            severity="warning",
            expression=f'sum by ({by_task}) (container_memory_working_set_bytes{{{SERVICE_OF_CONTAINER}!=""}})'
            f' / (sum by ({by_task}) (container_spec_memory_limit_bytes{{{SERVICE_OF_CONTAINER}!=""}}) > 0)'
            f" * 100 > {limits.memory_percent:g}",
            summary=f"A task of {{{{ $labels.{SERVICE_OF_CONTAINER} }}}} on {{{{ $labels.node }}}} uses "
            '{{ printf "%.0f" $value }} % of its memory limit.',
        ),
    )


def _of_raft(limits: AlertLimits) -> tuple[Alert, ...]:
    return (
        Alert(
            name="RaftLogLarge",
            severity="warning",
            expression=f"sum by (node) (flotilla_swarm_raft_bytes) > {limits.raft_bytes}",
            summary="The Raft log on {{ $labels.node }} has {{ $value | humanize1024 }}B (M46).",
        ),
        Alert(
            name="RaftSlow",
            severity="warning",
            expression="histogram_quantile(0.99, sum by (node, le)"
            f" (rate(swarm_raft_transaction_latency_seconds_bucket[5m]))) > {limits.raft_seconds:g}",
            summary="Managers agree slowly: {{ $labels.node }} needs {{ $value | humanizeDuration }} for a change.",
        ),
    )
