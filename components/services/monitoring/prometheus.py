"""Configuration of Prometheus and Alertmanager, rendered from the graph. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from components.services.monitoring import names
from components.services.monitoring.alerts import RULES_PATH

CONFIGURATION_PATH: Final = "/etc/prometheus/prometheus.yml"
ALERTMANAGER_PATH: Final = "/run/secrets/alertmanager.yml"
_REFRESH = "15s"
_META = "__meta_dockerswarm_"
Relabelling = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scraping:
    """`interval` is between two questions to each target; `docker_host` the proxy that tells of the swarm."""

    interval: str
    docker_host: str


def render_prometheus(scraping: Scraping) -> str:
    """The whole `prometheus.yml`."""
    document = {
        "global": {"scrape_interval": scraping.interval, "evaluation_interval": scraping.interval},
        "rule_files": [RULES_PATH],
        "alerting": {
            "alertmanagers": [
                {
                    **_login(),
                    "dns_sd_configs": [_tasks_of(names.ALERTMANAGER, names.ALERTMANAGER_PORT)],
                }
            ]
        },
        "scrape_configs": [
            {
                "job_name": "prometheus",
                **_login(),
                "static_configs": [
                    {"targets": [f"127.0.0.1:{names.PROMETHEUS_PORT}"], "labels": {"service": names.PROMETHEUS}}
                ],
                "relabel_configs": [_set("instance", names.PROMETHEUS)],
            },
            {
                "job_name": "alertmanager",
                **_login(),
                "dns_sd_configs": [_tasks_of(names.ALERTMANAGER, names.ALERTMANAGER_PORT)],
                "relabel_configs": [_set("instance", names.ALERTMANAGER), _set("service", names.ALERTMANAGER)],
            },
            {
                "job_name": names.SWARM_JOB,
                "dns_sd_configs": [_tasks_of(names.SWARM_EXPORTER, names.EXPORTER_PORT)],
                # Whichever task answers: labels such as `node` are those of what it tells of.
                "relabel_configs": [_set("instance", names.SWARM_EXPORTER)],
            },
            {
                "job_name": names.ENGINE_JOB,
                "metrics_path": "/engine",
                "dockerswarm_sd_configs": [_discovery(scraping)],
                "relabel_configs": [
                    _keep([f"{_META}service_name"], names.ENGINE_EXPORTER),
                    *_tasks_on_the_overlay(),
                    _address(str(names.EXPORTER_PORT)),
                    *_places(),
                ],
            },
            {
                "job_name": "services",
                "dockerswarm_sd_configs": [_discovery(scraping)],
                "relabel_configs": [
                    _keep([_label(names.JOB_LABEL)], ".+"),
                    *_tasks_on_the_overlay(),
                    *_asked_for(),
                    *_places(),
                ],
            },
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, width=1000)


def render_alertmanager(alert_url: str | None, repeat: str) -> str:
    """The whole `alertmanager.yml`. With a URL, which may hold a token, it is a secret: this version reads a webhook's
    URL from no other file."""
    webhook = [{"url": alert_url, "send_resolved": True}] if alert_url else None
    receiver: dict[str, Any] = {"name": "default"} | ({"webhook_configs": webhook} if webhook else {})
    document = {
        "route": {
            "receiver": "default",
            "group_by": ["alertname"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": repeat,
        },
        "receivers": [receiver],
        # That nothing on a lost node answers is no news.
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="NodeDown"'],
                "target_matchers": ['alertname="TargetDown"'],
                "equal": ["node"],
            }
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, width=1000)


def render_web_config(password_hash: str) -> str:
    """Who may ask: one user, whose password is here as a bcrypt hash."""
    return yaml.safe_dump({"basic_auth_users": {names.USER: password_hash}})


def _login() -> dict[str, Any]:
    return {"basic_auth": {"username": names.USER, "password_file": names.PASSWORD_FILE}}


def _tasks_of(service: str, port: int) -> dict[str, Any]:
    """The tasks of a service of our own, by the name that Docker's DNS knows: it works while no manager answers."""
    return {"names": [f"tasks.{service}"], "type": "A", "port": port, "refresh_interval": _REFRESH}


def _discovery(scraping: Scraping) -> dict[str, Any]:
    """The same in every job, so that Prometheus asks once for all of them."""
    return {"host": scraping.docker_host, "role": "tasks", "refresh_interval": _REFRESH}


def _label(name: str) -> str:
    return f"{_META}service_label_{name.replace('.', '_')}"


def _tasks_on_the_overlay() -> Sequence[Relabelling]:
    """A task has an address in each of its networks, and one that is to end is none of our business."""
    return (
        _keep([f"{_META}task_desired_state"], "running"),
        _keep([f"{_META}network_name"], names.OVERLAY),
    )


def _asked_for() -> Sequence[Relabelling]:
    return (
        _from([_label(names.JOB_LABEL)], "job"),
        {
            "source_labels": ["__address__", _label(names.PORT_LABEL)],
            "regex": "([^:;]+)(?::\\d+)?;(\\d+)",
            "replacement": "$1:$2",
            "target_label": "__address__",
        },
        _from([_label(names.PATH_LABEL)], "__metrics_path__"),
    )


def _address(port: str) -> Relabelling:
    return {
        "source_labels": ["__address__"],
        "regex": "([^:]+)(?::\\d+)?",
        "replacement": f"$1:{port}",
        "target_label": "__address__",
    }


def _places() -> Sequence[Relabelling]:
    """Names in place of addresses, so that a series goes on when its task moves: `web.2`, or `edge.worker-1` for a task
    of a global service, which has no number."""
    service, node, slot = f"{_META}service_name", f"{_META}node_hostname", f"{_META}task_slot"
    return (
        _from([service], "service"),
        _from([node], "node"),
        {
            "source_labels": [service, slot],
            "separator": ".",
            "regex": "(.+\\.[1-9]\\d*)",
            "target_label": "instance",
        },
        {
            "source_labels": [service, node, slot],
            "separator": ".",
            "regex": "(.+)\\.0?",
            "target_label": "instance",
        },
    )


def _keep(sources: Sequence[str], expression: str) -> Relabelling:
    return {"source_labels": list(sources), "regex": expression, "action": "keep"}


def _from(sources: Sequence[str], target: str) -> Relabelling:
    return {"source_labels": list(sources), "regex": "(.+)", "target_label": target}


def _set(target: str, value: str) -> Relabelling:
    return {"target_label": target, "replacement": value}
