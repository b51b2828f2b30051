"""Outcomes are one line per row, in the order of the source, whichever try wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.record import outcomes as outcomes_module
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome, count, outcome, replied
from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder, OutcomeRecords
from airflow_provider_campaigns.delivery.storage import locate
from airflow_provider_campaigns.exceptions import InputError, LedgerError
from airflow_provider_campaigns.protocol.send import ContactReply
from airflow_provider_campaigns.state.task_state import MemoryStore


def lines(first: int, last: int, status: Any = "accepted") -> list[Outcome]:
    return [outcome(row, f"key {row}", status) for row in range(first, last + 1)]


class Kept:
    """Outcomes in one of the places they can be kept, try after try."""

    def __init__(self, where: Any) -> None:
        self._where = where
        self._store = MemoryStore()
        self._number = 0
        self.next_try()

    def next_try(self) -> Outcomes:
        self._number += 1
        ledger = Ledger.open(self._store)
        ledger.begin()
        self.outcomes: Outcomes = OutcomeRecords(self._store, ledger.try_number, ledger.try_numbers)
        if self._where:
            self.outcomes = OutcomeFolder(self._where, self._number)
        return self.outcomes

    def write(self, first: int, last: int, status: Any = "accepted") -> None:
        self.outcomes.write(lines(first, last, status))

    @property
    def found(self) -> list[tuple[int, str]]:
        return [(line["row"], line["status"]) for line in self.outcomes.read()]


@pytest.fixture(params=["local", "object storage", "store"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "store":
        return Kept(None)
    return Kept(tmp_path if request.param == "local" else locate(request.getfixturevalue("bucket")))


def test_nothing_is_there_before_anything_is_written(kept: Kept) -> None:
    assert kept.found == []
    assert list(kept.outcomes.written()) == []


def test_outcomes_are_read_in_the_order_of_the_source(kept: Kept) -> None:
    kept.write(4, 5)
    kept.outcomes.write([*lines(1_000_000, 1_000_001), *lines(1, 3)])
    kept.write(6, 6)

    assert [row for row, _ in kept.found] == [1, 2, 3, 4, 5, 6, 1_000_000, 1_000_001]


def test_outcomes_of_all_tries_are_read_in_the_order_of_the_source(kept: Kept) -> None:
    kept.write(1, 2)
    kept.write(7, 8)
    kept.next_try()
    kept.write(3, 6)

    assert [row for row, _ in kept.found] == list(range(1, 9))


def test_flat_in_memory_outcomes_that_came_late_are_read_nearly_in_order(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_campaigns.delivery.record.outcome_parts.MOST_DISPLACED", 2)
    for row in (3, 1, 2, 5, 4, 6):
        kept.write(row, row)

    assert [row for row, _ in kept.found] == [1, 2, 3, 4, 5, 6]


def test_what_a_later_try_reported_again_counts(kept: Kept) -> None:
    kept.write(1, 3, "unknown")
    kept.next_try()
    kept.write(2, 2, "accepted")
    kept.next_try()
    kept.write(2, 3, "rejected")

    assert kept.found == [(1, "unknown"), (2, "rejected"), (3, "rejected")]


def test_a_part_can_be_written_again_with_what_came_since(kept: Kept) -> None:
    kept.write(1, 1)
    kept.write(2, 2)
    kept.outcomes.write(lines(2, 4), again=True)
    kept.write(5, 5)

    assert kept.found == [(row, "accepted") for row in range(1, 6)]


def test_what_is_unsent_stands_in_its_place_until_it_is_sent(kept: Kept) -> None:
    kept.write(1, 2)
    kept.write(5, 6)
    kept.outcomes.write_unsent(iter([*lines(3, 4, "unsent"), *lines(7, 8, "unsent")]))
    assert kept.found == [
        *[(row, "accepted") for row in (1, 2)],
        *[(row, "unsent") for row in (3, 4)],
        *[(row, "accepted") for row in (5, 6)],
        *[(row, "unsent") for row in (7, 8)],
    ]

    kept.write(3, 4)
    assert [status for _, status in kept.found] == ["accepted"] * 6 + ["unsent"] * 2

    kept.next_try().forget_earlier()
    assert [status for _, status in kept.found] == ["accepted"] * 6


def test_what_one_try_left_unsent_takes_the_place_of_what_an_earlier_one_left(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.outcomes.write_unsent(lines(1, 3, "unsent"))
    kept.next_try()
    kept.outcomes.write_unsent(lines(3, 3, "unsent"))

    assert kept.found == [(3, "unsent")]
    kept.outcomes.forget_earlier()
    assert kept.found == []
    assert list(tmp_path.iterdir()) == []


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
    folder = OutcomeFolder(tmp_path, 2)
    folder.write([*lines(3, 3), outcome(1, "josé@example.com", "accepted")])
    folder.write_unsent(lines(2, 2, "unsent"))

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["part-002-000001.jsonl", "part-002-unsent.jsonl"]
    text = (tmp_path / "part-002-000001.jsonl").read_text(encoding="utf-8")
    assert text.startswith('{"row":1,"key":"josé@example.com","status":"accepted","reason":null,')
    assert [json.loads(line)["row"] for line in text.splitlines()] == [1, 3]


def test_an_outcome_is_read_whatever_is_in_it(tmp_path: Path) -> None:
    folder = OutcomeFolder(tmp_path, 1)
    folder.write([outcome(1, "1", "rejected", "cut \ud83d")])

    assert [line["reason"] for line in folder.read()] == ["cut \ud83d"]


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "resend-4").mkdir()
    (tmp_path / ".part-001-000001.jsonl.17.tmp").write_text('{"row": 1, "sta')
    (tmp_path / "notes.txt").write_text("hello")
    folder = OutcomeFolder(tmp_path)
    folder.write(lines(1, 1))

    assert list(folder.read()) == lines(1, 1)


def test_a_folder_that_cannot_be_written_to_is_reported_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(InputError, match="outcomes_path: expected a folder, path or URL, that can be written to"):
        OutcomeFolder(tmp_path / "file" / "below").begin({})


# -- read_outcomes


@pytest.mark.parametrize("as_path", [str, Path])
def test_outcomes_are_read_by_path_and_status(tmp_path: Path, as_path: Any) -> None:
    folder = OutcomeFolder(tmp_path)
    folder.write([*lines(1, 1), *lines(2, 2, "rejected")])
    folder.write_unsent(lines(3, 3, "unsent"))

    assert [line["row"] for line in read_outcomes(as_path(tmp_path))] == [1, 2, 3]
    assert [line["row"] for line in read_outcomes(as_path(tmp_path), status="rejected")] == [2]
    for status in STATUSES:
        assert all(line["status"] == status for line in read_outcomes(as_path(tmp_path), status=status))


def test_outcomes_are_read_from_object_storage(bucket: str) -> None:
    OutcomeFolder(locate(bucket)).write(lines(1, 2))

    assert list(read_outcomes(bucket)) == lines(1, 2)


def test_a_folder_of_the_folders_of_tasks_is_distinguished_from_one_without_outcomes_yet(tmp_path: Path) -> None:
    own = tmp_path / "dag" / "run" / "task"
    (own / "contacts").mkdir(parents=True)

    assert list(read_outcomes(own)) == []
    for above in (tmp_path, tmp_path / "dag", tmp_path / "dag" / "run"):
        with pytest.raises(InputError, match="path: expected a receipt, or a folder of outcomes"):
            read_outcomes(above)


def test_a_folder_that_is_not_there_and_a_status_nobody_knows_are_reported_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"path: expected a receipt, or a folder of outcomes \(the receipt's outcomes_path\)"
    ):
        read_outcomes(tmp_path / "none")
    with pytest.raises(InputError, match=r"status: expected one of accepted, .*, got failed"):
        read_outcomes(tmp_path, status="failed")  # type: ignore[arg-type]


# -- a receipt in place of a path

TASK = {"dag_id": "d", "run_id": "r", "task_id": "send", "map_index": -1}


def test_a_receipt_leads_to_its_folder(tmp_path: Path) -> None:
    OutcomeFolder(tmp_path, 1).write([outcome(1, "a", "accepted"), outcome(2, "b", "rejected")])

    assert [line["key"] for line in read_outcomes({"outcomes_path": str(tmp_path)})] == ["a", "b"]
    assert [line["key"] for line in read_outcomes({"outcomes_path": str(tmp_path)}, "rejected")] == ["b"]


def test_a_receipt_without_a_folder_leads_to_the_xcom(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def pull(task: Any, key: str) -> Any:
        asked.append((task, key))
        return [outcome(1, "a", "accepted"), outcome(2, "b", "rejected")]

    monkeypatch.setattr(outcomes_module, "pull", pull)

    lines = read_outcomes({"outcomes_path": None, "outcomes_xcom": TASK}, "rejected")

    assert [line["key"] for line in lines] == ["b"]
    assert asked == [(TASK, "outcomes")]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (None, InputError, r"path: expected a receipt \(inside a task: not the XComArg of one\), or its outcomes_path"),
        ({}, InputError, "receipt: expected one with outcomes_path or outcomes_xcom"),
        ({"vendor": "exotel", "outcomes_path": None}, InputError, "got fields vendor, outcomes_path"),
        ({"outcomes_xcom": TASK}, InputError, "a task that has the XCom 'outcomes', got none of task 'send'"),
        ({"outcomes_xcom": {**TASK, "task_id": "odd"}}, LedgerError, "the XCom 'outcomes' of task 'odd' is damaged"),
    ],
)
def test_without_outcomes_a_receipt_is_an_error(
    monkeypatch: pytest.MonkeyPatch, given: Any, error: type[Exception], message: str
) -> None:
    monkeypatch.setattr(outcomes_module, "pull", lambda task, key: ["?"] if task["task_id"] == "odd" else None)
    with pytest.raises(error, match=message):
        list(read_outcomes(given))


@pytest.mark.parametrize("task", [{}, {"dag_id": "d"}, "send", 7])
def test_an_xcom_is_one_of_a_task_instance(task: Any) -> None:
    with pytest.raises(InputError, match="outcomes_xcom: expected dag_id, run_id, task_id and map_index"):
        list(read_outcomes({"outcomes_xcom": task}))
