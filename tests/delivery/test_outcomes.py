"""Outcomes are one line per row, in the order of the source, whichever try wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.ledger import Ledger
from airflow_provider_campaigns.delivery.outcomes import (
    STATUSES,
    Outcome,
    OutcomeFolder,
    OutcomeRecords,
    Outcomes,
    count,
    outcome,
    replied,
)
from airflow_provider_campaigns.delivery.ranges import Rows
from airflow_provider_campaigns.delivery.storage import locate
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.state import MemoryStore
from airflow_provider_campaigns.protocol.sending import ContactReply


def lines(first: int, last: int, status: Any = "accepted") -> list[Outcome]:
    return [outcome(row, f"key {row}", status) for row in range(first, last + 1)]


class Kept:
    """Outcomes in one of the places they can be kept."""

    def __init__(self, where: Any) -> None:
        self.ledger = Ledger(MemoryStore(), 1, join=False)
        self.outcomes: Outcomes = OutcomeFolder(where) if where else OutcomeRecords(MemoryStore(), self.ledger)

    def settle(self, first: int, last: int, status: Any = "accepted") -> None:
        self.outcomes.write(Rows(first, last), lines(first, last, status))
        self.ledger.settle(Rows(first, last), {})

    @property
    def told(self) -> list[tuple[int, str]]:
        return [(line["row"], line["status"]) for line in self.outcomes.read()]


@pytest.fixture(params=["local", "object storage", "store"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "store":
        return Kept(None)
    return Kept(tmp_path if request.param == "local" else locate(request.getfixturevalue("bucket")))


def test_nothing_is_there_before_anything_is_written(kept: Kept) -> None:
    assert kept.told == []
    assert kept.outcomes.parts() == []
    assert kept.outcomes.part(Rows(1, 3)) is None


def test_parts_are_told_in_the_order_of_the_source(kept: Kept) -> None:
    kept.settle(4, 5)
    kept.settle(1, 3)
    kept.settle(1_000_000, 1_000_001)
    kept.settle(6, 6)

    assert kept.outcomes.parts() == [Rows(1, 3), Rows(4, 5), Rows(6, 6), Rows(1_000_000, 1_000_001)]
    assert kept.outcomes.part(Rows(4, 5)) == lines(4, 5)
    assert [row for row, _ in kept.told] == [1, 2, 3, 4, 5, 6, 1_000_000, 1_000_001]


def test_a_part_takes_the_place_of_an_earlier_one(kept: Kept) -> None:
    kept.settle(1, 2, "unknown")
    kept.settle(1, 2, "accepted")

    assert kept.told == [(1, "accepted"), (2, "accepted")]


def test_what_is_unsent_stands_in_its_place_until_it_is_sent(kept: Kept) -> None:
    kept.settle(1, 2)
    kept.settle(5, 6)
    kept.outcomes.write_unsent(iter([*lines(3, 4, "unsent"), *lines(7, 8, "unsent")]))
    assert kept.told == [
        *[(row, "accepted") for row in (1, 2)],
        *[(row, "unsent") for row in (3, 4)],
        *[(row, "accepted") for row in (5, 6)],
        *[(row, "unsent") for row in (7, 8)],
    ]

    kept.settle(3, 4)
    assert [status for _, status in kept.told] == ["accepted"] * 6 + ["unsent"] * 2

    kept.outcomes.begin()
    assert [status for _, status in kept.told] == ["accepted"] * 6


def test_an_outcome_has_its_fields_whatever_is_known() -> None:
    fields = ["row", "key", "status", "reason", "vendor_id", "url", "message"]
    reply = ContactReply("accepted", vendor_id="17", url="https://example.com/s/17", message="ok")

    assert list(outcome(1, None, "invalid", "no phone")) == fields
    assert replied(2, "key", reply) == {
        "row": 2,
        "key": "key",
        "status": "accepted",
        "reason": None,
        "vendor_id": "17",
        "url": "https://example.com/s/17",
        "message": "ok",
    }
    assert list(replied(2, "key", reply)) == fields


def test_outcomes_are_counted_by_status() -> None:
    assert count([*lines(1, 3), *lines(4, 4, "invalid")]) == {"accepted": 3, "invalid": 1}


# -- the folder


def test_the_files_are_json_lines_that_sort_by_row(tmp_path: Path) -> None:
    folder = OutcomeFolder(tmp_path)
    folder.write(Rows(1, 1), [outcome(1, "josé@example.com", "accepted")])
    folder.write_unsent(lines(2, 2, "unsent"))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-0000000001-0000000001.jsonl", "part-unsent.jsonl"]
    text = (tmp_path / "part-0000000001-0000000001.jsonl").read_text(encoding="utf-8")
    assert text.startswith('{"row":1,"key":"josé@example.com","status":"accepted","reason":null,')
    assert json.loads(text)["url"] is None


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "resend-4").mkdir()
    (tmp_path / ".part-0000000001-0000000003.jsonl.17.tmp").write_text('{"row": 1, "sta')
    (tmp_path / "notes.txt").write_text("hello")
    folder = OutcomeFolder(tmp_path)
    folder.write(Rows(1, 1), lines(1, 1))

    assert list(folder.read()) == lines(1, 1)


def test_a_folder_that_cannot_be_written_to_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(InputError, match="outcomes_path: expected a folder, path or URL, that can be written to"):
        OutcomeFolder(tmp_path / "file" / "below").begin()


# -- read_outcomes


@pytest.mark.parametrize("as_path", [str, Path])
def test_outcomes_are_read_by_path_and_status(tmp_path: Path, as_path: Any) -> None:
    folder = OutcomeFolder(tmp_path)
    folder.write(Rows(1, 2), [*lines(1, 1), *lines(2, 2, "rejected")])
    folder.write_unsent(lines(3, 3, "unsent"))

    assert [line["row"] for line in read_outcomes(as_path(tmp_path))] == [1, 2, 3]
    assert [line["row"] for line in read_outcomes(as_path(tmp_path), status="rejected")] == [2]
    for status in STATUSES:
        assert all(line["status"] == status for line in read_outcomes(as_path(tmp_path), status=status))


def test_outcomes_are_read_from_object_storage(bucket: str) -> None:
    OutcomeFolder(locate(bucket)).write(Rows(1, 2), lines(1, 2))

    assert list(read_outcomes(bucket)) == lines(1, 2)


def test_a_folder_that_is_not_there_and_a_status_nobody_knows_are_told_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"path: expected a folder of outcomes \(the receipt's outcomes_path\)"):
        read_outcomes(tmp_path / "none")
    with pytest.raises(InputError, match=r"status: expected one of accepted, .*, got failed"):
        read_outcomes(tmp_path, status="failed")  # type: ignore[arg-type]
