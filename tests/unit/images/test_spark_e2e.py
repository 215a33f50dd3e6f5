"""The image of Spark: its parts find each other, prove that they work, compute, and stop."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.images.containers import Started, Yard
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e

MASTER = {"SPARK_MASTER": "spark://spark-master:7077"}
DAEMON = {"SPARK_DAEMON_MEMORY": "128m"}
WORKER = {**MASTER, **DAEMON, "SPARK_WORKER_CORES": "1", "SPARK_WORKER_MEMORY": "604m"}
DRIVER = {"SPARK_DRIVER_MEMORY": "600m", "SPARK_EVENTS": "/data/spark-events"}
SECONDS = 180
SECRET = {"/run/secrets/spark-secret": ("of-spark", 0o444)}
SHARED = {"SPARK_SECRET_FILE": "/run/secrets/spark-secret"}
TEXT = "to be or not to be\n"

HDFS = {"HADOOP_HEAP": "160", "HADOOP_REPLICATION": "2", "HADOOP_PERMISSIONS": "true"}
EVENTS = "hdfs://namenode:8020/spark/history"

Start = Callable[..., Started]


@pytest.fixture
def start(yard: Yard, spark_image: str) -> Start:
    def start(*words: str, environment: dict[str, str], **options: object) -> Started:
        return yard.start(spark_image, command=["spark-start", *words], environment=environment, **options)  # type: ignore[arg-type]

    return start


@pytest.fixture
def namenode(yard: Yard, hadoop_image: str) -> Started:
    """An HDFS that makes two copies and asks who one is, with one DataNode; in safe mode."""
    words = ["hadoop-start", "namenode"]
    namenode = yard.start(hadoop_image, command=words, environment=HDFS, alias="namenode")
    own = {"HADOOP_NAME": "datanode", "HADOOP_PORT": "20001"}
    yard.start(hadoop_image, command=["hadoop-start", "datanode"], environment={**HDFS, **own}, alias="datanode")
    wait_for("the NameNode is content", lambda: namenode.run("hadoop-health", "namenode")[0] == 0, SECONDS)
    in_hdfs(namenode, "dfsadmin", "-safemode", "enter")
    return namenode


def in_hdfs(namenode: Started, *words: str) -> str:
    code, text = namenode.run("hdfs", *words)
    assert code == 0, text
    return text


def processes(started: Started) -> set[str]:
    return set(started.run("sh", "-c", "cat /proc/[0-9]*/comm")[1].split())


def healthy(started: Started, part: str) -> None:
    wait_for(f"the {part} is content", lambda: started.run("spark-health", part)[0] == 0, SECONDS)


def pages(started: Started, path: str) -> Any:
    code, text = started.run("curl", "-fsS", f"http://127.0.0.1:{path}")
    assert code == 0, text
    return json.loads(text)


def finished(master: Started) -> None:
    """Wait until the master says so of its only application, which it learns a little after the driver has ended."""

    def states() -> list[str]:
        return [application["state"] for application in pages(master, "8080/json/")["completedapps"]]

    wait_for(lambda: f"the application is FINISHED: {states()}", lambda: states() == ["FINISHED"])


def test_a_worker_that_was_there_first_is_healthy_only_when_the_master_took_it_in(start: Start) -> None:
    worker = start("worker", environment=WORKER, host={"Memory": 2**30})
    wait_for("it asks for the master", lambda: {"curl", "sleep"} & processes(worker))
    assert worker.run("spark-health", "worker")[0] != 0
    master = start("master", environment=DAEMON, alias="spark-master")
    healthy(master, "master")
    healthy(worker, "worker")
    (joined,) = pages(master, "8080/json/")["workers"]
    assert (joined["state"], joined["cores"], joined["memory"]) == ("ALIVE", 1, 604)
    assert worker.run("id", "-un")[1].strip() == "spark"

    # The page of a worker comes through the master's.
    code, page = master.run("curl", "-fsS", f"http://127.0.0.1:8080/proxy/{joined['id']}/")
    assert code == 0
    assert "Spark Worker at" in page

    assert master.stop() == 143, "ended by SIGTERM, in time"


def test_words_are_counted_on_a_worker_and_written_where_the_driver_is(start: Start, yard: Yard) -> None:
    """All of them share a word, which is on no command line."""
    master = start("master", environment={**DAEMON, **SHARED}, files=SECRET, alias="spark-master")
    worker = start("worker", environment={**WORKER, **SHARED}, files=SECRET, host={"Memory": 2**30})
    healthy(worker, "worker")
    running = worker.processes()
    assert "org.apache.spark.deploy.worker.Worker" in running
    assert "of-spark" not in running
    volume = yard.client.create_volume(labels={"flotilla.test": yard.prefix})["Name"]
    try:
        words = (
            "submit",
            "--executor-memory",
            "604m",
            "/opt/spark/examples/word_count.py",
            "/data/file.txt",
            "/data/output",
        )
        bind = {"Binds": [f"{volume}:/data"], "Memory": 2**30}
        files = {"/data/file.txt": (TEXT, 0o644), **SECRET}
        driver = start(*words, environment={**MASTER, **DRIVER, **SHARED}, files=files, host=bind)
        code = yard.client.wait(driver.identity, timeout=SECONDS)["StatusCode"]
        assert code == 0, driver.logs()
        results = yard.client.logs(driver.identity, stderr=False).decode()
        assert results == "6 words, 4 different, in /data/output\n"
        finished(master)

        history = start("history", environment={**DAEMON, **DRIVER}, host={"Binds": [f"{volume}:/data"]})
        healthy(history, "history")
        # It is healthy before it has read the logs of events.
        (seen,) = wait_for("an application", lambda: pages(history, "18080/api/v1/applications"))
        assert seen["name"] == "WordCount"
        written = history.run("sh", "-c", "cd /data/output && ls && cat part-*")[1].split("\n")
        assert written[:3] == ["_SUCCESS", "part-00000", "part-00001"]
        assert sorted(written[3:-1]) == ["('be', 2)", "('not', 1)", "('or', 1)", "('to', 2)"]
        yard.client.remove_container(history.identity, force=True)
    finally:
        for container in yard.client.containers(all=True, filters={"volume": volume}):
            yard.client.remove_container(container["Id"], force=True)
        yard.client.remove_volume(volume)


def test_in_hdfs_words_are_counted_and_the_event_log_is_kept_as_soon_as_files_can_be_written(
    start: Start, yard: Yard, namenode: Started
) -> None:
    """M125-M127: workers read and write, and nobody has to make the folder of the event log by hand."""
    in_hdfs_too = {**DAEMON, "SPARK_EVENTS": EVENTS}
    history = start("history", environment=in_hdfs_too)
    wait_for("it asks for HDFS", lambda: {"curl", "sleep"} & processes(history))
    master = start("master", environment=DAEMON, alias="spark-master")
    worker = start("worker", environment=WORKER, host={"Memory": 2**30})
    healthy(worker, "worker")
    assert ("java" in processes(history), history.logs()) == (False, ""), "it waits, and there is nothing to say"
    in_hdfs(namenode, "dfsadmin", "-safemode", "leave")
    healthy(history, "history")
    in_hdfs(namenode, "dfs", "-mkdir", "/words")
    in_hdfs(namenode, "dfs", "-chown", "spark", "/words")

    words = ("submit", "--executor-memory", "604m", "/opt/spark/examples/hdfs_word_count.py", "--sample")
    files = [f"hdfs://namenode:8020/words/{name}" for name in ("in", "out")]
    # The second finds what the first one read and wrote.
    for where in (MASTER, {"SPARK_MASTER": "local[*]"}):
        environment = {**where, **DRIVER, "SPARK_EVENTS": EVENTS}
        driver = start(*words, *files, environment=environment, host={"Memory": 2**30})
        code = yard.client.wait(driver.identity, timeout=SECONDS)["StatusCode"]
        assert code == 0, driver.logs()
        results = yard.client.logs(driver.identity, stderr=False).decode()
        assert results == "6000 words, 4 different, in hdfs://namenode:8020/words/out\n"
    counts = in_hdfs(namenode, "dfs", "-cat", "/words/out/part-*").splitlines()
    assert sorted(counts) == ["('be', 2000)", "('not', 1000)", "('or', 1000)", "('to', 2000)"]

    listed = [line.split() for line in in_hdfs(namenode, "dfs", "-ls", "-R", "/words", "/spark").splitlines()]
    written = [line for line in listed if not line[0].startswith("d")]
    assert {(copies, owner) for _, copies, owner, *_ in written} == {("2", "spark")}
    assert {path.split("/")[1] for *_, path in written} == {"words", "spark"}
    folders = {line[-1]: (line[0], line[2]) for line in listed}
    assert folders["/spark/history"] == ("drwxrwxrwt", "hadoop"), "everybody keeps a log, and removes his own alone"

    def seen() -> list[tuple[str, str]]:
        return [
            (one["name"], one["attempts"][0]["logSourceFullPath"])
            for one in pages(history, "18080/api/v1/applications")
            if one["attempts"][0]["completed"]
        ]

    wait_for("the history server shows both from HDFS", lambda: seen() == [("HdfsWordCount", EVENTS)] * 2, SECONDS)
    finished(master)


def test_a_worker_without_the_word_is_sent_away(start: Start) -> None:
    master = start("master", environment={**DAEMON, **SHARED}, files=SECRET, alias="spark-master")
    healthy(master, "master")
    stranger = start("worker", environment=WORKER, host={"Memory": 2**30})
    stranger.says("Failed to connect to master", SECONDS)
    master.says("Expected SaslMessage")
    assert pages(master, "8080/json/")["workers"] == []
    assert stranger.run("spark-health", "worker")[0] != 0


@pytest.mark.parametrize(
    ("words", "environment", "code", "said"),
    [
        (["worker"], MASTER, 78, "SPARK_WORKER_MEMORY is not set: what the worker offers to executors, such as 576m"),
        (["submit"], {}, 78, "SPARK_MASTER is not set: the master, such as spark://spark-master:7077, or local[*]"),
        (["master"], SHARED, 78, "SPARK_SECRET_FILE is /run/secrets/spark-secret: there is no such file"),
        (["history"], {"SPARK_EVENTS": "/proc/1/x"}, 78, "SPARK_EVENTS is /proc/1/x: it cannot be made"),
        (["slave"], {}, 64, "unknown part 'slave': use master, worker, history or submit"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    start: Start, yard: Yard, words: list[str], environment: dict[str, str], code: int, said: str
) -> None:
    started = start(*words, environment=environment)
    assert yard.client.wait(started.identity)["StatusCode"] == code
    started.says(f"spark-start: {said}")
