"""What is built, in which order, and what is left when a build fails: with an engine that only takes notes."""

import io
import json
import tarfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, cast

import docker
import pytest

from images import build, content, engine, host, package
from images.build import Builder
from images.content import RegistryContent
from images.engine import BuiltImage
from images.package import Package
from images.progress import BuildError, CancelledError, Log, Progress
from images.recipe import BASE, CHILDREN, CONTENT_LABEL, NAME_LABEL, PARENTS, SERVICES, Recipe, recipes

SOME = ("nginx", "haproxy")


def digests(services: Sequence[str]) -> dict[str, str]:
    return {name: f"sha256:{name}" for name in services}


class FakeEngine:
    """Takes the place of Docker: remembers what was built, and fails for the names in `broken`."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.images: list[BuiltImage] = []
        self.filled = 0
        self.pairs = False
        self.broken: set[str] = set()
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self._begun = 0
        self._both = threading.Barrier(2)

    def close(self) -> None:
        """As a client."""

    def make(self, recipe: Recipe, log: Log) -> None:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self._begun += recipe.name not in (BASE, *PARENTS.values())
            wait = recipe.name not in (BASE, *PARENTS.values()) and self._begun <= 2
        if wait and self.pairs:  # the first two that nothing stands on wait for each other
            self._both.wait(timeout=60)
        log.write(f"making {recipe.name}")
        with self._lock:
            self.at_once -= 1
            self.built.append(recipe.name)
        if recipe.name in self.broken:
            raise log.failure("exit code 100")
        self.images.append(BuiltImage(reference=recipe.reference, size=1, labels=recipe.labels))

    def fill(
        self, _client: object, wanted: Mapping[str, Recipe], services: Sequence[str], _progress: Progress
    ) -> RegistryContent:
        self.filled += 1
        labels = {
            NAME_LABEL: content.NAME,
            CONTENT_LABEL: content.wanted_content(wanted, services),
            content.DIGESTS_LABEL: json.dumps(digests(services)),
        }
        reference = f"flotilla/registry-content:{self.filled}"
        self.images.append(BuiltImage(reference=reference, size=1, labels=labels))
        return RegistryContent(reference=reference, digests=digests(services))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()

    def make_base(_client: object, recipe: Recipe, _folder: Path, _work: Path, _base: str | None, log: Log) -> None:
        fake.make(recipe, log)

    def make_child(_client: object, recipe: Recipe, context: IO[bytes], _given: Mapping[str, str], log: Log) -> None:
        assert context.read()
        fake.make(recipe, log)

    def fetch(_package: Package, downloads: Path, _log: Log) -> Path:
        downloads.mkdir()
        with tarfile.open(downloads / "archive.tar.gz", "w:gz"):
            return downloads / "archive.tar.gz"

    def ours(_client: object) -> list[BuiltImage]:
        return list(fake.images)

    def identity(_client: object) -> str:
        return "engine-1"

    def describe(_client: object, _image: str) -> dict[str, Any]:
        return {"engine": "engine-1", "architecture": "amd64", "capabilities": ["CAP_SYS_ADMIN"]}

    monkeypatch.setattr(engine, "connect", lambda: fake)
    monkeypatch.setattr(engine, "ours", ours)
    monkeypatch.setattr(engine, "build", make_child)
    monkeypatch.setattr(build, "make_base", make_base)
    monkeypatch.setattr(package, "fetch", fetch)
    monkeypatch.setattr(content, "fill", fake.fill)
    monkeypatch.setattr(host, "identity", identity)
    monkeypatch.setattr(host, "describe", describe)
    return fake


def _builder(fake: FakeEngine, work: Path, stream: io.StringIO) -> Builder:
    return Builder(client=cast("docker.APIClient", fake), progress=Progress(stream), work=work)


def _run(fake: FakeEngine, work: Path, services: tuple[str, ...] = SOME) -> str:
    stream = io.StringIO()
    _builder(fake, work, stream).run(services)
    return stream.getvalue()


def _sets(work: Path) -> dict[str, Any]:
    return json.loads((work / "images.json").read_text())["sets"]


def test_the_base_is_built_before_all_others_and_these_two_at_a_time(fake: FakeEngine, tmp_path: Path) -> None:
    fake.pairs = True
    _run(fake, tmp_path, SERVICES)
    parents = [BASE, *(name for name in CHILDREN if name in PARENTS.values())]
    assert fake.built[: len(parents)] == parents
    assert sorted(fake.built[1:]) == sorted(CHILDREN)
    assert fake.most_at_once == 2


def test_a_stack_builds_the_images_of_its_own_products_and_no_others(fake: FakeEngine, tmp_path: Path) -> None:
    _run(fake, tmp_path, ("nginx",))
    assert sorted(fake.built) == ["base", "haproxy", "machine", "nginx", "registry"]
    _run(fake, tmp_path, ("spark",))
    assert sorted(fake.built[5:]) == ["jre", "spark"]


def test_each_set_of_images_has_a_registry_and_an_entry_of_its_own(fake: FakeEngine, tmp_path: Path) -> None:
    _run(fake, tmp_path, ("nginx",))
    _run(fake, tmp_path, ("haproxy", "nginx"))
    _run(fake, tmp_path, ())
    sets = _sets(tmp_path)
    assert {key: sorted(found["services"]) for key, found in sets.items()} == {
        "": [],
        "nginx": ["nginx"],
        "haproxy,nginx": ["haproxy", "nginx"],
    }
    assert len({found["registry"] for found in sets.values()}) == 3


def test_two_runs_at_once_lose_none_of_what_they_write(fake: FakeEngine, tmp_path: Path) -> None:
    sets: list[tuple[str, ...]] = [("nginx",), ("haproxy",), ("mariadb",), ("wordpress",)]
    with ThreadPoolExecutor(len(sets)) as pool:
        list(pool.map(lambda services: _run(fake, tmp_path, services), sets))
    assert sorted(_sets(tmp_path)) == ["haproxy", "mariadb", "nginx", "wordpress"]


def test_a_name_that_is_no_service_image_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build.main(["--services", "nginx,apache"])
    assert "no image of a service is called 'apache': use nginx, " in capsys.readouterr().err


def test_what_came_out_is_written_down_with_the_digests_of_the_registry(fake: FakeEngine, tmp_path: Path) -> None:
    _run(fake, tmp_path)
    wanted = recipes()
    assert _sets(tmp_path)["haproxy,nginx"] == {
        "machine": wanted["machine"].reference,
        "haproxy": wanted["haproxy"].reference,
        "registry": "flotilla/registry-content:1",
        "services": {name: {"digest": f"sha256:{name}", "tag": wanted[name].content} for name in SOME},
    }
    assert json.loads((tmp_path / "host.json").read_text())["capabilities"] == ["CAP_SYS_ADMIN"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["host.json", "images.json", "images.lock"]


def test_a_second_run_builds_nothing_writes_nothing_and_says_nothing(fake: FakeEngine, tmp_path: Path) -> None:
    _run(fake, tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    count = len(fake.built)
    assert _run(fake, tmp_path) == ""
    assert len(fake.built) == count
    assert fake.filled == 1
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")} == before


def test_a_lost_images_json_is_written_again_without_a_build(fake: FakeEngine, tmp_path: Path) -> None:
    _run(fake, tmp_path)
    text = (tmp_path / "images.json").read_text()
    (tmp_path / "images.json").unlink()
    _run(fake, tmp_path)
    assert (tmp_path / "images.json").read_text() == text
    assert fake.filled == 1


def test_a_failed_build_says_what_failed_with_its_last_lines_and_leaves_the_files_alone(
    fake: FakeEngine, tmp_path: Path
) -> None:
    fake.broken = {"nginx"}
    (tmp_path / "images.json").write_text("of an earlier run")
    with pytest.raises(BuildError) as caught:
        _run(fake, tmp_path)
    assert str(caught.value) == ("image nginx could not be built: exit code 100; its last lines:\n  making nginx")
    assert (tmp_path / "images.json").read_text() == "of an earlier run"
    assert fake.filled == 0


def test_a_base_that_fails_lets_nothing_else_begin(fake: FakeEngine, tmp_path: Path) -> None:
    fake.broken = {BASE}
    with pytest.raises(BuildError, match="image base could not be built"):
        _run(fake, tmp_path)
    assert fake.built == [BASE]


def test_only_builds_that_image_and_the_base(fake: FakeEngine, tmp_path: Path) -> None:
    fake.images.append(BuiltImage(reference=recipes()["nginx"].reference, size=1, labels={}))
    _builder(fake, tmp_path, io.StringIO()).build(["nginx"])
    assert fake.built == [BASE]
    assert list(tmp_path.iterdir()) == []


def test_a_new_engine_is_described_again(fake: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"engine": "engine-0"}')
    assert "host.json" in _run(fake, tmp_path)
    assert json.loads((tmp_path / "host.json").read_text())["engine"] == "engine-1"


def test_a_build_stops_at_its_next_line_when_another_failed() -> None:
    progress = Progress(io.StringIO())
    with progress.step("building", "nginx") as log:
        log.write("Step 1")
        progress.cancel()
        with pytest.raises(CancelledError):
            log.write("Step 2")


def test_a_failure_shows_the_last_twenty_lines_alone() -> None:
    log = Log("nginx", threading.Event(), None)
    log.write("\n".join(f"line {number}" for number in range(50)))
    lines = str(log.failure("exit code 1")).splitlines()
    assert lines[1:] == [f"  line {number}" for number in range(30, 50)]


def test_verbose_shows_whole_lines_under_the_name_of_the_image() -> None:
    stream = io.StringIO()
    with Progress(stream, verbose=True).step("building", "nginx") as log:
        log.write("Step 1\n\nStep 2\n")
    assert stream.getvalue().splitlines()[1:3] == ["  nginx: Step 1", "  nginx: Step 2"]


def test_an_engine_that_does_not_answer_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert build.main(["--list"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: no Docker Engine answers on unix://{tmp_path}/none.sock")
    assert error.count("\n") == 1
    assert "Traceback" not in error
