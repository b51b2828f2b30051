"""Of what became of contacts a bounded part is read, and nobody is named; a receipt's folder must be its task's."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_campaigns.delivery.record.folder_names import folder_names
from airflow_provider_campaigns.delivery.record.outcome import Outcome, outcome
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
from airflow_provider_campaigns.overview.outcomes import MOST_READ, MOST_SHOWN, Sample
from airflow_provider_campaigns.overview.overview import open_overview
from tests.overview.metadata import Noted, put, receipt

RUN = f"scheduled__2026-03-01T00:00:00+00:00/{uuid4().hex}"


def sample_of(path: str | None, status: str = "", **xcoms: Any) -> Sample:
    """Return the sample of a delivery whose outcomes are in a folder, or in the XCom."""
    noted = Noted(f"outcomes_{uuid4().hex}", RUN, xcoms={"receipt": receipt(accepted=1, outcomes_path=path), **xcoms})
    if path:
        noted.xcoms["receipt"]["outcomes_path"] = path.format(task="/".join(folder_names(noted.task)))
    put([noted])
    with open_overview() as overview:
        view = overview.delivery(noted.task)
        assert view
        return overview.sample(view, status)


def rejected(row: int, key: str, message: str) -> Outcome:
    return {**outcome(row, key, "rejected"), "message": message, "vendor_id": f"call to {key}"}


LINES = [
    outcome(1, "+447700900001", "accepted"),
    rejected(2, "+447700900002", "+447700900002 is barred <b>"),
    outcome(3, None, "invalid", "no phone number"),
    outcome(4, "jo@example.com", "invalid", "no phone number"),
    outcome(5, "customer-4711", "unknown", "no reply"),
]


def test_an_xcom_is_read_and_nobody_is_named() -> None:
    sample = sample_of(None, outcomes=LINES)

    assert [(reason.status, reason.text, reason.count) for reason in sample.reasons] == [
        ("invalid", "no phone number", 2),
        ("rejected", "+44***02 is barred <b>", 1),
        ("unknown", "no reply", 1),
    ]
    assert [(line.row, line.key, line.reason) for line in sample.first] == [
        (1, "+44***01", ""),
        (2, "+44***02", "*** is barred <b>"),
        (3, "***", "no phone number"),
        (4, "j***@example.com", "no phone number"),
        (5, "cu***11", "no reply"),
    ]
    assert sample.first[1].vendor_id == "call to ***"
    assert (sample.read, sample.whole, sample.problem) == (5, True, "")


def test_only_those_with_a_status_are_shown() -> None:
    sample = sample_of(None, "unknown", outcomes=LINES)

    assert [line.row for line in sample.first] == [5]
    assert len(sample.reasons) == 3


@pytest.mark.parametrize("found", [None, "text", {"a": 1}, [1, {"row": 1}, "x"], []], ids=str)
def test_an_xcom_that_is_none_of_ours_has_no_outcomes(found: Any) -> None:
    assert sample_of(None, outcomes=found).read == 0


@pytest.mark.parametrize("below", ["", "/again-2", "/resend-3/again-2"])
def test_the_folder_of_the_task_is_read_up_to_a_limit(tmp_path: Path, below: str) -> None:
    path = f"{tmp_path}/{{task}}{below}"
    noted = Noted(f"outcomes_{uuid4().hex}", RUN)
    folder = Path(path.format(task="/".join(folder_names(noted.task))))
    for number_of_try, last in ((1, MOST_READ), (2, 10)):
        outcomes = OutcomeFolder(folder, number_of_try)
        outcomes.write(outcome(row, f"{row}", "rejected", f"try {number_of_try}") for row in range(1, last + 1))
    noted.xcoms["receipt"] = receipt(rejected=MOST_READ, outcomes_path=str(folder))
    put([noted])

    with open_overview() as overview:
        view = overview.delivery(noted.task)
        assert view
        sample = overview.sample(view)

    # The later try's rows count, and are read first.
    assert {(reason.text, reason.count) for reason in sample.reasons} == {("try 1", MOST_READ - 20), ("try 2", 10)}
    assert len(sample.first) == MOST_SHOWN
    assert not sample.whole


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/etc", "not that of this task"),
        ("/data/{task}/../../other/x/send", "not that of this task"),
        ("/nowhere/{task}", "cannot be seen from here"),
        ("noscheme://bucket/{task}", ""),
    ],
)
def test_what_cannot_be_read_is_said(path: str, problem: str) -> None:
    sample = sample_of(path)

    assert problem in sample.problem
    assert sample.problem
    assert (sample.read, sample.whole) == (0, False)


def test_a_folder_outside_the_allowed_roots_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__CONTACTS_ROOTS", "/data")

    assert "contacts_roots" in sample_of(f"{tmp_path}/{{task}}").problem
