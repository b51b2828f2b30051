"""Files are there as a whole or not at all, on local disks and in object storage."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_campaigns.delivery import storage
from airflow_provider_campaigns.delivery.storage import check_root, is_path, locate, open_text, write_whole
from airflow_provider_campaigns.exceptions import InputError


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


# -- who may read what is written


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("setting", "file", "folder"),
    [(None, 0o600, 0o700), ("", 0o600, 0o700), ("077", 0o600, 0o700), ("027", 0o640, 0o750), ("2", 0o664, 0o775)],
)
def test_files_and_their_folders_have_the_rights_of_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None, file: int, folder: int
) -> None:
    if setting is not None:
        monkeypatch.setenv("AIRFLOW__CAMPAIGNS__OUTCOMES_UMASK", setting)
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "new" / "below" / "a", [b"1\n"])
    finally:
        os.umask(before)

    assert mode(tmp_path / "new" / "below" / "a") == file
    assert [mode(tmp_path / "new"), mode(tmp_path / "new" / "below")] == [folder] * 2


def test_a_folder_that_is_there_keeps_its_rights_and_a_file_gets_new_ones(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    (tmp_path / "there" / "a").write_text("before")
    (tmp_path / "there" / "a").chmod(0o644)

    write_whole(tmp_path / "there" / "a", [b"1\n"])

    assert [mode(tmp_path / "there"), mode(tmp_path / "there" / "a")] == [0o755, 0o600]


@pytest.mark.parametrize("setting", ["rwx", "8", "0o27", "-1", "700", "177", "00077"])
def test_a_setting_that_is_no_umask_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__OUTCOMES_UMASK", setting)
    with pytest.raises(InputError, match=r"\[campaigns\] outcomes_umask: expected an octal number"):
        write_whole(tmp_path / "a", [b"1\n"])
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_name_cannot_be_foreseen_and_no_link_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = set[str]()

    def seen() -> Iterator[bytes]:
        names.update(path.name for path in tmp_path.iterdir())
        yield b"1\n"

    for name in ("a", "b"):
        write_whole(tmp_path / name, seen())
    assert len({name for name in names if name.endswith(".tmp")}) == 2

    victim = tmp_path / "victim"
    victim.write_text("untouched")
    monkeypatch.setattr(secrets, "token_hex", lambda length: "foreseen")
    (tmp_path / ".c.foreseen.tmp").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "c", [b"1\n"])
    assert victim.read_text() == "untouched"


def test_a_link_in_the_place_of_the_file_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "a").symlink_to(tmp_path / "victim")

    write_whole(tmp_path / "a", [b"1\n"])

    assert (tmp_path / "victim").read_text() == "untouched"
    assert not (tmp_path / "a").is_symlink()


def test_a_file_system_without_rights_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__OUTCOMES_UMASK", "000")
    write_whole(tmp_path / "new" / "a", [b"1\n"])
    assert mode(tmp_path / "new" / "a") == 0o600


# -- where files may lie


ROOTS = "/data/contacts, s3://aws@bucket/contacts/ ,file:///srv/lists"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/data/contacts/a.csv", True),
        ("/data/contacts", True),
        ("/data/contacts/../contacts/a.csv", True),
        (Path("/srv/lists/today/a.csv"), True),
        ("file:///data/contacts/a.csv", True),
        ("s3://aws@bucket/contacts/a.csv", True),
        ("s3://aws@bucket/contacts", True),
        (ObjectStoragePath("s3://aws@bucket/contacts/a.csv"), True),
        ("/data/contacts-of-others/a.csv", False),
        ("/data/contacts/../secret.csv", False),
        ("/etc/passwd.csv", False),
        ("contacts/a.csv", False),
        ("../data/a.csv", False),
        ("file:///etc/a.csv", False),
        ("s3://aws@bucket/contacts-of-others/a.csv", False),
        ("s3://other@bucket/contacts/a.csv", False),
        ("s3://aws@bucket/contacts/../secret/a.csv", False),
        ("s3://aws@bucket/contacts/%2e%2e/secret/a.csv", False),
        ("https://example.com/data/contacts/a.csv", False),
        ("", False),
    ],
)
def test_only_what_lies_below_a_root_is_allowed(path: Any, allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__CONTACTS_ROOTS", ROOTS)
    message = r"^contacts: expected a path or URL below one of \[campaigns\] contacts_roots, got "
    with nullcontext() if allowed else pytest.raises(InputError, match=message):
        check_root(path, "contacts")


def test_a_link_that_leads_out_of_a_root_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside.csv").write_text("phone\n")
    (tmp_path / "root" / "a.csv").symlink_to(tmp_path / "outside.csv")
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__CONTACTS_ROOTS", str(tmp_path / "root"))
    with pytest.raises(InputError, match="contacts_roots"):
        check_root(tmp_path / "root" / "a.csv", "contacts")


@pytest.mark.parametrize("setting", [None, "", " , "])
def test_without_the_setting_everything_is(setting: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if setting is not None:
        monkeypatch.setenv("AIRFLOW__CAMPAIGNS__CONTACTS_ROOTS", setting)
    check_root("/etc/passwd.csv", "contacts")


def test_a_root_that_is_relative_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__CONTACTS_ROOTS", "contacts")
    with pytest.raises(InputError, match=r"\[campaigns\] contacts_roots: expected absolute paths"):
        check_root("contacts/a.csv", "contacts")
