"""A volume on one node: its tasks stay there, one at a time, and see the file system and nothing else."""

from typing import Any

import pytest

from components.clouds.cloud import ImageSource
from components.plan.errors import PlanError
from components.services.service import Healthcheck, SwarmServiceArgs, UpdatePolicy
from components.storage.volume import StoredVolume

BLOCK = StoredVolume(name="data", node="worker-1", zone="us-east-1a", source="data", device="/srv/data")
LOCAL = StoredVolume(name="data", node="worker-1", source="data")


def service(volume: StoredVolume, replicas: int | None, order: Any = "stop-first") -> SwarmServiceArgs:
    nothing: Any = None
    return SwarmServiceArgs(
        name="database",
        image="mariadb",
        replicas=replicas,
        memory=2**28,
        cpus=1,
        healthcheck=Healthcheck(test=("true",)),
        networks={},
        volumes=(volume.at("/data"),),
        update=UpdatePolicy(order=order),
        cluster=nothing,
        images=ImageSource(registry="", images={}),
    )


def test_a_block_volume_holds_its_task_to_node_and_zone() -> None:
    assert service(BLOCK, 1).all_constraints == ("node.hostname == worker-1", "node.labels.zone == us-east-1a")
    assert service(LOCAL, 1).all_constraints == ("node.hostname == worker-1",)


def test_a_block_volume_is_the_folder_of_its_file_system_and_is_never_filled_from_an_image() -> None:
    options: Any = BLOCK.at("/data").mount().volume_options
    assert options.driver_options == {"type": "none", "o": "bind", "device": "/srv/data"}
    assert options.no_copy is True
    assert LOCAL.at("/data").mount().volume_options is None


@pytest.mark.parametrize(
    ("replicas", "said", "fix"),
    [
        (3, "replicas is 3", "use 1"),
        (0, "replicas is 0", "use 1"),
        (None, "mode is 'global'", "use replicated, with 1 replica"),
    ],
)
def test_more_than_one_task_on_a_block_volume_is_refused(replicas: int | None, said: str, fix: str) -> None:
    with pytest.raises(PlanError) as refused:
        service(BLOCK, replicas)
    assert str(refused.value) == f"service database: {said}: block volume data is for one task; {fix}"


def test_an_update_that_would_have_two_tasks_at_once_is_refused() -> None:
    with pytest.raises(
        PlanError, match="update order is 'start-first': two tasks would have block volume data at once"
    ):
        service(BLOCK, 1, "start-first")
    assert service(LOCAL, 3, "start-first").replicas == 3
