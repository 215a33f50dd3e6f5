"""The files of the Pulumi CLI: read, decrypted, and written again in the same bytes or the same shape."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from hermetic.backend import CheckpointStore, FileBackend, StackName, Update
from hermetic.project import Project, StackConfig
from hermetic.secrets import Crypter, IncorrectPassphraseError
from hermetic.state import encode_deployment, export_from_json, export_to_json
from hermetic.values import secret

FORMATS = Path(__file__).parent / "formats"
STACK = StackName("formats", "test")
PASSPHRASE = {"PULUMI_CONFIG_PASSPHRASE": "conformance"}


def config() -> StackConfig:
    return StackConfig.load(Project.load(FORMATS), "test")


@pytest.fixture
def crypter() -> Crypter:
    return config().crypter(PASSPHRASE)


@pytest.fixture
def backend(tmp_path: Path) -> FileBackend:
    """A backend as the CLI left it."""
    stacks = tmp_path / ".pulumi" / "stacks" / "formats"
    stacks.mkdir(parents=True)
    shutil.copy(FORMATS / "backend_meta.yaml", tmp_path / ".pulumi" / "meta.yaml")
    shutil.copy(FORMATS / "backend_stack.json", stacks / "test.json")
    return FileBackend(f"file://{tmp_path}")


def sample(name: str) -> Any:
    return json.loads((FORMATS / name).read_text(encoding="utf-8"))


def shape(value: Any) -> Any:
    """The keys and types of a document; ciphertexts, times and texts do not matter."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__


def test_the_config_is_read_and_decrypted(crypter: Crypter) -> None:
    values, secrets = config().runtime_values(crypter)
    assert values == {
        "formats:password": "s3cret",
        "formats:plain": "hello",
        "formats:tree": '{"hidden":"two","list":["one"]}',
    }
    assert secrets == ["formats:password", "formats:tree"]


def test_the_config_is_shown_masked_as_the_preview_of_the_cli_does() -> None:
    assert config().masked_values() == {
        "formats:password": "[secret]",
        "formats:plain": "hello",
        "formats:tree": '{"hidden":"[secret]","list":["one"]}',
    }


def test_a_config_that_is_saved_unchanged_is_the_same_file(tmp_path: Path) -> None:
    for name in ("Pulumi.yaml", "Pulumi.test.yaml"):
        shutil.copy(FORMATS / name, tmp_path)
    StackConfig.load(Project.load(tmp_path), "test").save()
    assert (tmp_path / "Pulumi.test.yaml").read_bytes() == (FORMATS / "Pulumi.test.yaml").read_bytes()


def test_the_config_made_by_our_commands_has_the_shape_of_theirs(tmp_path: Path) -> None:
    shutil.copy(FORMATS / "Pulumi.yaml", tmp_path)
    made = StackConfig.load(Project.load(tmp_path), "test")
    crypter = made.crypter(PASSPHRASE)
    made.set("plain", "hello")
    made.set("password", "s3cret", secret=True, crypter=crypter)
    made.set("tree.list[0]", "one", path=True)
    made.set("tree.hidden", "two", path=True, secret=True, crypter=crypter)
    made.save()
    ours, theirs = ((folder / "Pulumi.test.yaml").read_text(encoding="utf-8") for folder in (tmp_path, FORMATS))
    without_ciphertexts = [[line.split("v1:")[0] for line in text.splitlines()] for text in (ours, theirs)]
    assert without_ciphertexts[0] == without_ciphertexts[1]
    again = StackConfig.load(Project.load(tmp_path), "test")
    assert again.runtime_values(again.crypter(PASSPHRASE)) == config().runtime_values(
        crypter=config().crypter(PASSPHRASE)
    )


def test_an_export_is_written_again_byte_for_byte(crypter: Crypter) -> None:
    deployment = export_from_json(sample("export.json"), crypter)
    text = json.dumps(export_to_json(deployment, crypter), indent=4, ensure_ascii=False) + "\n"
    assert text == (FORMATS / "export.json").read_text(encoding="utf-8")


def test_a_checkpoint_is_read_and_decrypted(backend: FileBackend, crypter: Crypter) -> None:
    deployment = CheckpointStore(backend, STACK, crypter).load()
    outputs = sample("output_secrets.json")
    assert deployment.resources[0].outputs == {"plain": outputs["plain"], "token": secret(outputs["token"])}
    assert deployment.resources[2].inputs["secret_in"] == secret("s3cret")
    assert [resource.id for resource in deployment.resources] == [
        "",
        "c22e331a-b29c-48bc-9b40-3ff3a7ccd64b",
        "a-1",
        "b-1",
    ]


def test_a_checkpoint_is_written_again_byte_for_byte(backend: FileBackend, crypter: Crypter) -> None:
    deployment = CheckpointStore(backend, STACK, crypter).load()
    written = f'{{"version":3,"checkpoint":{{"stack":"{STACK}","latest":{encode_deployment(deployment, crypter)}}}}}'
    assert written == (FORMATS / "backend_stack.json").read_text(encoding="utf-8")


def test_a_saved_checkpoint_differs_from_theirs_only_in_the_manifest(backend: FileBackend, crypter: Crypter) -> None:
    store = CheckpointStore(backend, STACK, crypter)
    store.save(store.load())
    ours, theirs = json.loads(store.file.read_bytes()), sample("backend_stack.json")
    assert shape(ours) == shape(theirs)
    manifests = [document["checkpoint"]["latest"].pop("manifest") for document in (ours, theirs)]
    assert ours == theirs
    assert manifests[0] != manifests[1]


def test_a_state_made_by_us_from_nothing_has_the_shape_of_theirs(tmp_path: Path, crypter: Crypter) -> None:
    backend = FileBackend(f"file://{tmp_path}")
    store = CheckpointStore(backend, backend.create(STACK), crypter)
    deployment = store.load()
    deployment.resources = export_from_json(sample("export.json"), crypter).resources
    store.save(deployment)
    assert shape(json.loads(store.file.read_bytes())) == shape(sample("backend_stack.json"))
    assert shape(export_to_json(store.load(), crypter)) == shape(sample("export.json"))


def test_the_files_of_the_backend_are_those_of_the_cli(tmp_path: Path, crypter: Crypter) -> None:
    backend = FileBackend(f"file://{tmp_path}")
    store = CheckpointStore(backend, backend.create(STACK), crypter)
    with backend.lock(STACK):
        store.save(store.load())
        backend.record(STACK, update())
    found = {
        "".join(
            "<ns>" if part.isdigit() and len(part) > 15 else part
            for part in split_at_digits(file.relative_to(tmp_path))
        )
        for file in tmp_path.rglob("*")
        if file.is_file()
    }
    assert sorted(found) == (FORMATS / "backend_files.txt").read_text(encoding="utf-8").split()


def split_at_digits(path: Path) -> list[str]:
    return re.split(r"(\d+)", str(path))


def update() -> Update:
    return Update(
        kind="update",
        start_time=1,
        end_time=2,
        result="succeeded",
        config=config().values(),
        resource_changes={"create": 3},
        environment={"exec.kind": "cli"},
    )


def test_an_entry_of_the_history_has_the_shape_of_theirs(backend: FileBackend) -> None:
    backend.record(STACK, update())
    (file,) = (backend.root / "history" / "formats" / "test").glob("*.history.json")
    ours, theirs = json.loads(file.read_bytes()), sample("backend_history_entry.json")
    assert ours["config"] == theirs["config"]
    assert shape(ours | {"environment": {}}) == shape(theirs | {"environment": {}})
    assert list(ours) == list(theirs)


def test_the_list_of_stacks_tells_what_theirs_tells(backend: FileBackend) -> None:
    (summary,) = backend.stacks("formats")
    (line,) = sample("stacks.json")
    assert (summary.stack.name, summary.last_update, summary.resource_count) == (
        line["name"],
        line["lastUpdate"],
        line["resourceCount"],
    )


def test_their_stack_with_another_passphrase_is_refused_with_its_name() -> None:
    with pytest.raises(IncorrectPassphraseError, match=r"^stack 'test': incorrect passphrase"):
        config().crypter({"PULUMI_CONFIG_PASSPHRASE": "wrong"})
