"""Files are there as a whole or not at all, on local disks and in object storage."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_campaigns.delivery import storage
from airflow_provider_campaigns.delivery.storage import is_path, locate, open_text, write_whole


@pytest.fixture(params=["local", "object storage"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return locate(tmp_path / "new") if request.param == "local" else locate(request.getfixturevalue("bucket"))


def breaks() -> Iterator[bytes]:
    yield b"first\n"
    raise RuntimeError("the source broke")


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/data/contacts.csv", Path("/data/contacts.csv")),
        ("data/contacts.csv", Path("data/contacts.csv")),
        (Path("/data"), Path("/data")),
        ("file:///data/contacts.csv", Path("/data/contacts.csv")),
    ],
)
def test_local_paths_are_pathlib(path: Any, where: Path) -> None:
    assert locate(path) == where


def test_urls_are_object_storage_and_keep_their_connection() -> None:
    path = locate("s3://my_conn@bucket/campaigns") / "part.jsonl"

    assert isinstance(path, ObjectStoragePath)
    assert str(path) == "s3://my_conn@bucket/campaigns/part.jsonl"
    assert str(locate(str(path))) == str(path)


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("a.csv", True),
        (Path("a.csv"), True),
        (ObjectStoragePath("s3://bucket/a.csv"), True),
        ([], False),
        (None, False),
    ],
)
def test_what_is_a_path(value: object, answer: bool) -> None:
    assert is_path(value) == answer


def test_what_is_written_can_be_read(folder: Any) -> None:
    write_whole(folder / "below" / "a.jsonl", [b"\xef\xbb\xbf1\n", "é\n".encode(), b"3"])

    with open_text(folder / "below" / "a.jsonl") as text:
        assert list(text) == ["1\n", "é\n", "3"]


def test_a_file_is_replaced_as_a_whole(folder: Any) -> None:
    write_whole(folder / "a", [b"a long first version\n"])
    write_whole(folder / "a", iter([b"short\n"]))

    with open_text(folder / "a") as text:
        assert text.read() == "short\n"
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_nothing_changes_when_the_lines_break(folder: Any) -> None:
    write_whole(folder / "a", [b"before\n"])

    for name in ("a", "b"):
        with pytest.raises(RuntimeError, match="the source broke"):
            write_whole(folder / name, breaks())

    with open_text(folder / "a") as text:
        assert text.read() == "before\n"
    assert [path.name for path in folder.iterdir()] == ["a"], "nothing half written is left"


def test_a_large_upload_is_made_ready_on_disk(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MOST_IN_MEMORY", 10)

    write_whole(locate(bucket) / "large", (b"x" * 100 for _ in range(100)))

    with open_text(locate(bucket) / "large") as text:
        assert len(text.read()) == 10_000


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    fsync, replace = os.fsync, Path.replace

    def flush(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def rename(self: Path, target: Any) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", rename)

    write_whole(tmp_path / "a", [b"1\n"])

    assert steps == ["file", "rename", "folder"]
