"""Assets and archives: a changed file is a changed input."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from hermetic.assets import AssetError, with_hashes
from hermetic.values import ARCHIVE, ASSET, SIGNATURE, secret


def _hash(value: Mapping[str, object], folder: Path) -> object:
    return with_hashes(value, folder).get("hash")


def test_a_text_has_the_hash_of_its_characters(tmp_path: Path) -> None:
    value = {SIGNATURE: ASSET, "text": "é"}
    assert _hash(value, tmp_path) == hashlib.sha256("é".encode()).hexdigest()


def test_a_file_that_changes_gets_another_hash_wherever_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("one", encoding="utf-8")
    value = {"list": [secret({SIGNATURE: ASSET, "path": "page.html"})]}
    before = with_hashes(value, tmp_path)
    assert before == with_hashes(value, tmp_path)
    (tmp_path / "page.html").write_text("two", encoding="utf-8")
    assert with_hashes(value, tmp_path) != before


def test_a_folder_changes_with_its_files_and_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/a").write_text("one", encoding="utf-8")
    value = {SIGNATURE: ARCHIVE, "path": "site"}
    first = _hash(value, tmp_path)
    (folder / "deep/a").rename(folder / "deep/b")
    second = _hash(value, tmp_path)
    (folder / "deep/b").write_text("two", encoding="utf-8")
    assert len({first, second, _hash(value, tmp_path)}) == 3


def test_an_archive_of_assets_changes_with_them(tmp_path: Path) -> None:
    def archive(text: str) -> dict[str, object]:
        return {SIGNATURE: ARCHIVE, "assets": {"a": {SIGNATURE: ASSET, "text": text}}}

    assert _hash(archive("one"), tmp_path) == _hash(archive("one"), tmp_path)
    assert _hash(archive("one"), tmp_path) != _hash(archive("two"), tmp_path)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"gone\.txt cannot be read: No such file"):
        with_hashes({SIGNATURE: ASSET, "path": "gone.txt"}, tmp_path)


def test_other_values_stay_as_they_are(tmp_path: Path) -> None:
    value = {"a": [1, None, {"b": "text"}], "remote": {SIGNATURE: ASSET, "uri": "https://example.invalid/x"}}
    assert with_hashes(value, tmp_path) == value
