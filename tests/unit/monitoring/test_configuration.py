"""What Prometheus, Alertmanager, the page and Grafana are told."""

import json
import re
from typing import Any

import pytest
import yaml

from components.services.monitoring import names
from components.services.monitoring.alerts import AlertLimits, alerts, render_rules
from components.services.monitoring.console import render_console
from components.services.monitoring.dashboards import GRAPHS, TABLES
from components.services.monitoring.grafana import render_dashboard, render_data_source, render_provider
from components.services.monitoring.prometheus import (
    Scraping,
    render_alertmanager,
    render_prometheus,
    render_web_config,
)
from tests.unit.monitoring.rule_cases import CASES

PROMETHEUS: dict[str, Any] = yaml.safe_load(
    render_prometheus(Scraping(interval="15s", docker_host="tcp://monitoring-sockets:2375"))
)
JOBS: dict[str, dict[str, Any]] = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}
META = "__meta_dockerswarm_"


def relabelled(job: str, found: dict[str, str]) -> dict[str, str] | None:
    """What Prometheus makes of a target's labels; None when it drops the target."""
    labels = dict(found)
    for step in JOBS[job]["relabel_configs"]:
        value = step.get("separator", ";").join(labels.get(name, "") for name in step.get("source_labels", []))
        match = re.fullmatch(step.get("regex", "(.*)"), value)
        if step.get("action") == "keep":
            if match is None:
                return None
        elif match is not None:
            written = re.sub(r"\$(\d)", r"\\\1", step.get("replacement", "$1"))
            labels[step["target_label"]] = match.expand(written)
    return {name: value for name, value in labels.items() if not name.startswith(META)}


def target(**changed: str) -> dict[str, str]:
    found = {
        "__address__": "10.128.1.5:80",
        f"{META}service_name": "web",
        f"{META}service_label_prometheus_job": "shop",
        f"{META}service_label_prometheus_port": "9113",
        f"{META}task_desired_state": "running",
        f"{META}task_slot": "2",
        f"{META}node_hostname": "worker-1",
        f"{META}network_name": "monitoring",
    }
    return found | {f"{META}{name}" if name != "address" else "__address__": value for name, value in changed.items()}


def test_a_service_that_asks_for_it_is_measured_where_its_labels_say() -> None:
    assert relabelled("services", target()) == {
        "__address__": "10.128.1.5:9113",
        "job": "shop",
        "service": "web",
        "node": "worker-1",
        "instance": "web.2",
    }


def test_a_path_of_its_own_is_taken_from_a_label() -> None:
    found = relabelled("services", target(service_label_prometheus_path="/stats/prometheus"))
    assert found is not None
    assert found["__metrics_path__"] == "/stats/prometheus"


@pytest.mark.parametrize("slot", ["0", ""])
def test_a_task_of_a_global_service_is_named_by_its_node(slot: str) -> None:
    found = relabelled("services", target(task_slot=slot))
    assert found is not None
    assert found["instance"] == "web.worker-1"


def test_a_task_with_a_number_of_two_digits_keeps_both() -> None:
    found = relabelled("services", target(task_slot="10"))
    assert found is not None
    assert found["instance"] == "web.10"


@pytest.mark.parametrize(
    "changed",
    [
        {"service_label_prometheus_job": ""},
        {"task_desired_state": "shutdown"},
        {"network_name": "web"},
        {"network_name": "ingress"},
    ],
)
def test_nobody_is_measured_unasked_or_on_another_network(changed: dict[str, str]) -> None:
    assert relabelled("services", target(**changed)) is None


def test_the_engine_of_each_node_is_asked_by_way_of_its_exporter() -> None:
    own = target(service_name=names.ENGINE_EXPORTER, service_label_prometheus_port="", task_slot="0")
    found = relabelled("engine", own)
    assert found is not None
    assert (found["__address__"], found["node"]) == ("10.128.1.5:9101", "worker-1")
    assert JOBS["engine"]["metrics_path"] == "/engine"
    assert relabelled("engine", target()) is None


def test_discovery_is_the_same_in_every_job_so_that_managers_are_asked_once() -> None:
    found = [job["dockerswarm_sd_configs"] for job in JOBS.values() if "dockerswarm_sd_configs" in job]
    assert len(found) == 2
    assert found[0] == found[1]


def test_the_password_is_named_as_a_file_and_stands_nowhere() -> None:
    logins = [job["basic_auth"] for job in JOBS.values() if "basic_auth" in job]
    logins.append(PROMETHEUS["alerting"]["alertmanagers"][0]["basic_auth"])
    assert logins == [{"username": names.USER, "password_file": names.PASSWORD_FILE}] * 3


def test_alerts_go_to_the_url_of_the_settings_alone() -> None:
    silent = yaml.safe_load(render_alertmanager(None, "4h"))
    assert silent["receivers"] == [{"name": "default"}]
    told = yaml.safe_load(render_alertmanager("https://hooks.example/t0ken", "4h"))
    assert told["receivers"] == [
        {"name": "default", "webhook_configs": [{"url": "https://hooks.example/t0ken", "send_resolved": True}]}
    ]


def test_the_web_configuration_holds_the_hash_of_one_user() -> None:
    assert yaml.safe_load(render_web_config("$2b$10$x")) == {"basic_auth_users": {names.USER: "$2b$10$x"}}


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    known = {alert.name for alert in alerts(AlertLimits())}
    assert {case.alert for case in CASES if case.summary} == known
    assert {case.alert for case in CASES if not case.summary} == known


def test_limits_of_the_settings_are_those_of_the_rules() -> None:
    limits = AlertLimits(
        after="20s",
        disk_free_percent=33.5,
        memory_percent=77,
        raft_bytes=123456,
        raft_seconds=2.5,
        certificate_left_percent=8,
    )
    (group,) = yaml.safe_load(render_rules(limits))["groups"]
    rules: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in group["rules"]}
    for alert, piece in {
        "DiskFilling": "< 33.5 ",
        "ContainerNearMemoryLimit": "> 77",
        "RaftLogLarge": "> 123456",
        "RaftSlow": "> 2.5",
        "CertificateExpiring": "< 8",
    }.items():
        assert piece in rules[alert]["expr"], alert
    assert {rule["for"] for rule in rules.values()} == {"20s", "1h"}


def queries() -> set[str]:
    tables = {table.rows for table in TABLES} | {
        c.expression for table in TABLES for c in table.columns if c.expression
    }
    return tables | {query.expression for graph in GRAPHS for query in graph.queries}


def test_the_page_and_grafana_ask_the_same_questions() -> None:
    page = render_console().replace('\\"', '"')
    dashboard = json.loads(render_dashboard())
    asked = [query["expr"] for panel in dashboard["panels"] for query in panel["targets"]]
    for query in queries():
        assert query in page
        assert any(query in one for one in asked), query


def test_every_panel_of_grafana_has_a_place_of_its_own() -> None:
    places = [panel["gridPos"] for panel in json.loads(render_dashboard())["panels"]]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells))
    assert len(places) == len(TABLES) + len(GRAPHS)


def test_grafana_finds_prometheus_and_the_dashboard_by_itself() -> None:
    (source,) = yaml.safe_load(render_data_source())["datasources"]
    assert source["url"] == "http://monitoring-prometheus:9090"
    assert source["secureJsonData"] == {"basicAuthPassword": "$__file{/run/secrets/password}"}
    panels = json.loads(render_dashboard())["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    (provider,) = yaml.safe_load(render_provider())["providers"]
    assert provider["options"] == {"path": "/etc/flotilla/dashboards"}
