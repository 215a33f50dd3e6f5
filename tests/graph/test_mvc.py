"""What the graph of a stack with the MVC application says: what waits for the migration, where tasks run, and what a
change of each setting changes."""

import json
from functools import cache
from typing import Any

import pytest

from tests.graph.graph import Graph, record

pytestmark = pytest.mark.xdist_group("graph mvc")

LABELLED = {"workers": {"count": 3, "labels": {"type": "mvc"}}}


@cache
def recorded(mvc: str, mode: str, publish: str) -> Graph:
    services = {"web": None, "wordpress": None, "mvc": json.loads(mvc)}
    return record({"services": services, "network": {"publish_mode": publish}, **LABELLED}, mode)


def graph(*, publish: str = "host", preview: bool = False, **mvc: Any) -> Graph:
    return recorded(json.dumps(mvc), "preview" if preview else "applied", publish)


def service(found: Graph, name: str) -> dict[str, Any]:
    return found.named(f"mvc-{name}-service").inputs


def changed(before: Graph, after: Graph) -> set[str]:
    """Names of the resources that an update would touch."""
    assert set(before.by_urn) == set(after.by_urn)
    return {r.name for r in after.resources if r.inputs != before.by_urn[r.urn].inputs}


@pytest.mark.parametrize("preview", [False, True])
def test_tasks_wait_for_the_migration_and_the_migration_for_the_database(*, preview: bool) -> None:
    """M61: once, and before the application."""
    found = graph(preview=preview)
    job, application = found.named("mvc-migration"), found.named("mvc-application-service")
    database = found.named("mvc-database-service")
    assert job.urn in found.reachable(application.urn)
    assert database.urn in found.reachable(job.urn)
    assert application.urn not in found.reachable(job.urn)
    assert job.inputs["command"] == ["mvc-migrate"]


def test_the_migration_before_goes_only_when_the_next_one_is_done() -> None:
    """One that went first would take the application along, which waits for it."""
    request = graph().named("mvc-migration").request
    assert request["deleteBeforeReplaceDefined"] is True
    assert not request.get("deleteBeforeReplace")


def test_a_release_migrates_and_is_rolled_out_and_nothing_else_moves() -> None:
    before, after = graph(), graph(version="1.1")
    assert changed(before, after) == {"mvc-migration", "mvc-application-service"}
    assert "mvc-1.1@sha256:" in after.named("mvc-migration").inputs["image"]
    assert "mvc-1.1@sha256:" in service(after, "application")["taskSpec"]["containerSpec"]["image"]


def test_more_or_fewer_tasks_change_one_service_and_run_no_migration() -> None:
    """M63, M64: the proxies have room, and their files stay as they are."""
    before = graph()
    assert service(before, "application")["mode"]["replicated"]["replicas"] == 5
    for replicas in (3, 0, 8):
        after = graph(replicas=replicas)
        assert changed(before, after) == {"mvc-application-service"}
        assert service(after, "application")["mode"]["replicated"]["replicas"] == replicas


def test_other_limits_run_no_migration() -> None:
    assert changed(graph(), graph(memory="256m", cpus=1.0)) == {"mvc-application-service"}


def test_a_service_of_no_task_stays_defined_and_waits_for_none() -> None:
    assert "convergeConfig" not in service(graph(replicas=0), "application")


def test_tasks_and_migration_run_on_labelled_nodes_and_the_database_at_its_volume() -> None:
    """M35, M55, M56, M59."""
    found = graph(database_node="worker-2")
    labelled = ["node.labels.type == mvc"]
    assert service(found, "application")["taskSpec"]["placement"]["constraints"] == labelled
    assert found.named("mvc-migration").inputs["constraints"] == labelled
    database = service(found, "database")["taskSpec"]
    assert database["placement"]["constraints"] == ["node.hostname == worker-2"]
    assert database["containerSpec"]["mounts"] == [
        {"type": "volume", "source": "mvc-database", "target": "/var/lib/mysql"}
    ]
    assert service(found, "database")["updateConfig"]["order"] == "stop-first"


def test_global_mode_has_no_number_and_is_updated_as_said_too() -> None:
    """M68."""
    found = service(graph(mode="global", update={"parallelism": 2, "delay": "10s"}), "application")
    assert found["mode"] == {"global": True}
    assert (found["updateConfig"]["parallelism"], found["updateConfig"]["delay"]) == (2, "10s")


def test_another_mode_is_another_service() -> None:
    """The swarm refuses to change the mode of one."""
    request = graph().named("mvc-application-service").request
    assert request["replaceOnChanges"] == ["mode.global"]
    assert request["deleteBeforeReplace"] is True


def test_updates_and_restarts_are_as_said() -> None:
    """M65, M66, M67."""
    defaults = service(graph(), "application")
    assert defaults["updateConfig"] | {"monitor": ""} == {
        "order": "start-first",
        "parallelism": 1,
        "delay": "1s",
        "monitor": "",
        "failureAction": "rollback",
        "maxFailureRatio": "0.0",
    }
    found = service(
        graph(
            update={"parallelism": 2, "delay": "10s"},
            restart={"condition": "on-failure", "delay": "5s", "max_attempts": 3},
        ),
        "application",
    )
    assert (found["updateConfig"]["parallelism"], found["updateConfig"]["delay"]) == (2, "10s")
    policy = found["taskSpec"]["restartPolicy"]
    assert (policy["condition"], policy["delay"], policy["maxAttempts"]) == ("on-failure", "5s", 3)


def test_a_published_database_is_a_matter_of_the_proxies_alone() -> None:
    """M60 without the restart that `--publish-add` means."""
    before, after = graph(), graph(publish_database=3306)
    assert changed(before, after) == {
        "edge-haproxy-configuration",
        "edge-haproxy-service",
        "load-balancer-container",
    }
    (balancer,) = [r for r in after.resources if r.name == "load-balancer-container"]
    assert 3306 in [port["external"] for port in balancer.inputs["ports"]]
    assert "mode tcp" in balancer.inputs["uploads"][0]["content"]
    assert "mode tcp" not in before.named("load-balancer-container").inputs["uploads"][0]["content"]


def test_in_the_mesh_the_database_itself_publishes_its_port() -> None:
    assert "ports" not in service(graph(publish="ingress"), "database")["endpointSpec"]
    endpoint = service(graph(publish="ingress", publish_database=3307), "database")["endpointSpec"]
    (port,) = endpoint["ports"]
    assert (port["publishedPort"], port["targetPort"], port["publishMode"]) == (3307, 3306, "ingress")


def test_the_password_is_a_file_for_all_three_and_an_output_that_is_secret() -> None:
    found = graph()
    job = found.named("mvc-migration").inputs
    application, database = (service(found, name)["taskSpec"]["containerSpec"] for name in ("application", "database"))
    path = "/run/secrets/database-password"
    assert [secret["fileName"] for secret in job["secrets"]] == [path]
    assert [secret["fileName"] for secret in application["secrets"]] == [path]
    assert path in [secret["fileName"] for secret in database["secrets"]]
    for environment in (job["env"], application["env"]):
        assert environment["MVC_DATABASE_PASSWORD_FILE"] == path
        assert environment["MVC_DATABASE_HOST"] == "mvc-database"
    (outputs,) = [outputs for urn, outputs in found.outputs.items() if "::pulumi:pulumi:Stack::" in urn]
    assert outputs["mvc_migration"] == ["42"]
    assert outputs["mvc_database_password"]["value"].startswith("sentinel-secret")


def test_the_proxy_joins_the_network_of_both_services_once() -> None:
    found = graph(publish_database=3306)
    edge = found.named("edge-haproxy-service").inputs
    assert len(edge["taskSpec"]["networksAdvanceds"]) == 1
    assert sorted(port["publishedPort"] for port in edge["endpointSpec"]["ports"]) == [3000, 3306]


def test_every_node_is_a_checked_backend_of_the_load_balancer() -> None:
    """E16: the chapter names one node."""
    configuration = graph().named("load-balancer-container").inputs["uploads"][0]["content"]
    assert "option httpchk GET /health" in configuration
    assert "server-template server 16 nodes:3000 check" in configuration
