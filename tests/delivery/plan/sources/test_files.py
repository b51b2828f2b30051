"""A file that is changed while it is read: what was checked is what is sent, or nothing more is."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.delivery.storage import locate
from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.tries import ends, fail_try
from tests.delivery.world import Plan, World, phones, run_try

CHANGED = "expected the same file as long as it is being sent, got one that was changed meanwhile"


def lines(suffix: str, names: list[str]) -> str:
    header, line = ("phone", "{}") if suffix == "csv" else ("", '{{"phone": "{}"}}')
    return "\n".join(filter(None, [header, *map(line.format, names)])) + "\n"


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(file.read().replace(b"+4477009", b"+4477008"))


def extend(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("change", [shorten, overwrite, extend])
def test_nothing_is_read_of_a_local_file_once_it_is_changed(
    tmp_path: Path, suffix: str, change: Callable[[Path], None]
) -> None:
    path = tmp_path / f"contacts.{suffix}"
    path.write_text(lines(suffix, phones(5_000)))
    source = open_source(path)
    rows = source.read()
    first = [row.fields["phone"] for row in islice(rows, 10)]

    change(path)
    with pytest.raises(InputError, match=f"contacts.{suffix}.*{CHANGED}"):
        first += [row.fields["phone"] for row in rows]

    assert first == phones(5_000)[: len(first)]
    with pytest.raises(InputError, match=CHANGED):
        next(source.read())


def test_a_file_that_takes_its_place_is_read_by_none_who_reads_the_first_already(tmp_path: Path) -> None:
    path, other = tmp_path / "contacts.csv", tmp_path / "other.csv"
    path.write_text(lines("csv", phones(5_000)))
    other.write_text(lines("csv", phones(5_000, 5_000)))
    source = open_source(path)
    rows = source.read()
    first = next(rows)

    other.replace(path)

    assert [row.fields["phone"] for row in [first, *rows]] == phones(5_000)
    with pytest.raises(InputError, match=CHANGED):
        next(source.read())


def test_an_object_that_takes_another_one_s_place(bucket: str) -> None:
    def write(first: int) -> None:
        with locate(f"{bucket}/contacts.csv").open("wb") as file:
            file.write(lines("csv", phones(3, first)).encode())

    write(0)
    source = open_source(f"{bucket}/contacts.csv")
    rows = source.read()
    assert next(rows).fields == {"phone": phones(1)[0]}
    write(3)

    with pytest.raises(InputError, match=CHANGED):
        list(rows)
    with pytest.raises(InputError, match=CHANGED):
        next(source.read())


def test_a_delivery_stops_and_a_retry_continues_when_the_file_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    whole = lines("csv", phones(5_000))
    path.write_text(whole)
    world = World()

    def cut(number: int, keys: list[str]) -> object:
        if number == 2:
            shorten(path)
        return world.accept(keys)

    world.answer = cut  # type: ignore[assignment]
    plan = Plan(path, tmp_path / "outcomes", batch_size=10)
    world.start_process()
    error, receipt, _ = fail_try(world, plan, InputError)

    assert CHANGED in str(error)
    assert receipt["accepted"] < 5_000
    path.write_text(whole)
    receipt, outcomes = run_try(world, plan, 2)
    assert receipt["accepted"] == 5_000
    assert set(ends(outcomes)) == {"accepted"}
    assert world.contacted == phones(5_000)


# -- what may be no contacts at all


@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """A pipe would be waited for, and a device never ends."""
    path = tmp_path / "contacts.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "/dev/null")
    with pytest.raises(InputError, match="expected a file that can be read, got it is no regular file"):
        list(open_source(str(path)).read())


@pytest.mark.parametrize("name", ["contacts", "exclude"])
def test_a_file_outside_the_roots_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "contacts.csv").write_text("phone\n+447700900100\n")
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__CONTACTS_ROOTS", str(tmp_path / "root"))
    with pytest.raises(InputError, match=f"{name}: expected a path or URL below one of"):
        open_source(str(tmp_path / "contacts.csv"), name)


@pytest.mark.parametrize(
    "header",
    ["root:x:0:0:root:/root:/bin/bash " * 9, "secret" * 40, ",".join(f"secret{number}" for number in range(99))],
)
def test_of_a_header_that_is_none_a_message_shows_little(tmp_path: Path, header: str) -> None:
    (tmp_path / "contacts.csv").write_text(f"{header}\nmore secrets\n")
    with pytest.raises(InputError) as caught:
        open_source(str(tmp_path / "contacts.csv")).rows_with([("phone",)])
    shown = str(caught.value).partition(", got columns ")[2].partition(" (no row fits")[0]
    assert shown.endswith("...")
    assert len(shown) <= 83
    assert "more secrets" not in shown


def test_an_address_in_a_long_header_is_masked_before_it_is_cut(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text(f"{'x' * 60},somebody@example.com,b\n1,2,3\n")
    with pytest.raises(InputError) as caught:
        open_source(str(tmp_path / "contacts.csv"))
    assert "somebody" not in str(caught.value)
