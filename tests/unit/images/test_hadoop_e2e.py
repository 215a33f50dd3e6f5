"""The image of HDFS and YARN: a NameNode that is formatted once and never again, DataNodes that come and go without the
loss of a copy, and parts that say how they are."""

import json
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from images import build
from tests.unit.images.containers import Started, Yard
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e

SECONDS = 180
DAEMON = {"HADOOP_HEAP": "160", "HADOOP_REPLICATION": "2"}
HEALTH = "/jmx?qry=Hadoop:service=NameNode,name="

Start = Callable[..., Started]


@pytest.fixture
def start(yard: Yard, hadoop_image: str) -> Start:
    def start(*words: str, environment: dict[str, str] = DAEMON, **options: object) -> Started:
        return yard.start(hadoop_image, command=list(words), environment=environment, **options)  # type: ignore[arg-type]

    return start


@pytest.fixture
def volumes(yard: Yard) -> Generator[Callable[[str], dict[str, object]]]:
    """Volumes by name, mounted where the image has its data."""
    made: dict[str, str] = {}

    def mounted(name: str) -> dict[str, object]:
        if name not in made:
            made[name] = yard.client.create_volume(labels={"flotilla.test": yard.prefix})["Name"]
        return {"Binds": [f"{made[name]}:/data"], "Init": True}

    yield mounted
    for volume in made.values():
        for container in yard.client.containers(all=True, filters={"volume": volume}):
            yard.client.remove_container(container["Id"], force=True)
        yard.client.remove_volume(volume)


def healthy(started: Started, part: str) -> None:
    wait_for(f"the {part} is content", lambda: started.run("hadoop-health", part)[0] == 0, SECONDS)


def datanode(start: Start, number: int, volume: dict[str, object]) -> Started:
    own = {"HADOOP_NAME": f"datanode-{number}", "HADOOP_PORT": str(20000 + number)}
    return start("hadoop-start", "datanode", environment={**DAEMON, **own}, alias=f"datanode-{number}", host=volume)


def hdfs(started: Started, *words: str) -> str:
    code, text = started.run("hdfs", *words)
    assert code == 0, text
    return text


def ended(yard: Yard, started: Started) -> tuple[int, str]:
    return yard.client.wait(started.identity, timeout=SECONDS)["StatusCode"], started.logs().strip()


def test_a_namenode_is_formatted_once_and_keeps_its_files(
    start: Start, yard: Yard, volumes: Callable[[str], dict[str, object]]
) -> None:
    first = start("hadoop-start", "namenode", alias="namenode", host=volumes("name"))
    healthy(first, "namenode")
    hdfs(first, "dfs", "-mkdir", "/kept")
    version = first.run("cat", "/data/name/current/VERSION")[1]
    assert first.run("id", "-un")[1].strip() == "hadoop"
    assert first.stop() == 143, "ended by SIGTERM, in time"
    yard.client.remove_container(first.identity)
    again = start("hadoop-start", "namenode", alias="namenode", host=volumes("name"))
    healthy(again, "namenode")
    assert again.run("cat", "/data/name/current/VERSION")[1] == version
    assert "/kept" in hdfs(again, "dfs", "-ls", "/")


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (
            "echo mine > /data/letter",
            "/data has no file system of a NameNode, but it has: letter - it is left as it is",
        ),
        ("mkdir -p /data/name/current && touch /data/name/current/fsimage_1", "but it has: name - it is left as it is"),
        (
            "mkdir -p /data/name/current && echo storageType=DATA_NODE > /data/name/current/VERSION",
            "/data/name is not a NameNode's: it is left as it is",
        ),
    ],
)
def test_a_namenode_that_finds_foreign_or_partial_data_stops_and_changes_nothing(
    start: Start, yard: Yard, volumes: Callable[[str], dict[str, object]], prepare: str, said: str
) -> None:
    assert ended(yard, start("sh", "-c", prepare, host=volumes("name"))) == (0, "")
    listed = ("sh", "-c", "cd /data && find . | sort")
    before = ended(yard, start(*listed, host=volumes("name")))
    code, text = ended(yard, start("hadoop-start", "namenode", alias="namenode", host=volumes("name")))
    assert (code, said in text) == (78, True), text
    assert ended(yard, start(*listed, host=volumes("name"))) == before


def test_what_an_interrupted_format_left_is_no_data(
    start: Start, volumes: Callable[[str], dict[str, object]], yard: Yard
) -> None:
    half = "mkdir -p /data/name.new/current && touch /data/name.new/current/fsimage_0 && mkdir /data/lost+found"
    assert ended(yard, start("sh", "-c", half, host=volumes("name"))) == (0, "")
    healthy(start("hadoop-start", "namenode", alias="namenode", host=volumes("name")), "namenode")


def test_datanodes_come_and_go_without_the_loss_of_a_copy(
    start: Start, yard: Yard, volumes: Callable[[str], dict[str, object]]
) -> None:
    first = datanode(start, 1, volumes("1"))
    processes = ("sh", "-c", "cat /proc/[0-9]*/comm")
    wait_for("it asks for the NameNode", lambda: {"curl", "sleep"} & set(first.run(*processes)[1].split()))
    assert first.run("hadoop-health", "datanode")[0] != 0
    namenode = start("hadoop-start", "namenode", alias="namenode", host=volumes("name"))
    nodes = {1: first, **{number: datanode(start, number, volumes(str(number))) for number in (2, 3)}}
    for one in nodes.values():
        healthy(one, "datanode")

    def member(verb: str, number: int) -> tuple[int, str]:
        words = ("hadoop-member", verb, f"datanode-{number}", str(20000 + number))
        return ended(yard, start(*words, environment={**DAEMON, "MEMBER_SECONDS": "120"}, host=volumes("name")))

    for number in nodes:
        assert member("admit", number) == (0, f"datanode-{number} is in service")
    namenode.run("sh", "-c", "seq 300000 > /tmp/numbers")
    for number in range(4):
        hdfs(namenode, "dfs", "-put", "/tmp/numbers", f"/numbers-{number}")

    assert member("retire", 3) == (0, "datanode-3 is decommissioned")
    assert "is HEALTHY" in hdfs(namenode, "fsck", "/")
    yard.client.remove_container(nodes.pop(3).identity, force=True)
    report = hdfs(namenode, "fsck", "/", "-files", "-blocks")
    assert "is HEALTHY" in report
    assert report.count("Live_repl=2") == 4
    code, text = member("retire", 2)
    assert code == 1
    assert "datanode-2: there are files with 2 copies of each block, and 1 DataNodes would stay" in text
    assert namenode.run("cat", "/data/exclude")[1] == "datanode-3:20003\n"

    # It comes back with what it had, and is let in again.
    healthy(datanode(start, 3, volumes("3")), "datanode")
    assert member("admit", 3) == (0, "datanode-3 is in service")
    assert namenode.run("cat", "/data/exclude")[1] == ""
    assert hdfs(namenode, "dfs", "-cat", "/numbers-3").split()[-1] == "300000"
    for one in nodes.values():
        one.stop()


def test_the_page_of_hdfs_shows_what_the_namenode_says(
    start: Start, volumes: Callable[[str], dict[str, object]]
) -> None:
    namenode = start("hadoop-start", "namenode", alias="namenode", host=volumes("name"))
    healthy(namenode, "namenode")
    code, page = namenode.run("curl", "-fsSL", "http://127.0.0.1:9870/")
    assert code == 0
    assert "<h1>HDFS</h1>" in page
    for bean in ("NameNodeInfo", "FSNamesystem"):
        assert bean in page
        (found,) = json.loads(namenode.run("curl", "-fsS", f"http://127.0.0.1:9870{HEALTH}{bean}")[1])["beans"]
        names = {"NameNodeInfo": ("Safemode", "LiveNodes", "DeadNodes", "Version", "ClusterId", "Total", "Free")}
        assert set(names.get(bean, ("FilesTotal", "BlocksTotal", "UnderReplicatedBlocks", "MissingBlocks"))) <= set(
            found
        )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["hadoop-start", "datanode"], 78, "hadoop-start: HADOOP_NAME is not set: the name of the service"),
        (["hadoop-start", "nameserver"], 64, "hadoop-start: unknown part 'nameserver'"),
        (["hadoop-start", "spark-history"], 78, "hadoop-start: SPARK_EVENTS is not set: the folder of the event log"),
        (["hdfs", "namenode", "-format"], 64, "hdfs: unknown command 'namenode': use dfs, dfsadmin, fsck or balancer"),
        (["yarn", "top"], 64, "yarn: unknown command 'top': use application, node, logs or jar"),
    ],
)
def test_what_is_missing_is_said_in_one_line(start: Start, yard: Yard, words: list[str], code: int, said: str) -> None:
    found = ended(yard, start(*words))
    assert found[0] == code
    assert said in found[1]


def test_the_version_of_hadoop_is_said_in_one_place() -> None:
    """E12; the client that comes with Spark is of the same version."""
    folder = Path(build.IMAGES_FOLDER)
    texts = [
        path.read_text() for path in (folder / "hadoop").rglob("*") if path.name != "artefacts.json" and path.is_file()
    ]
    assert [text for text in texts if "3.5.0" in text] == []
