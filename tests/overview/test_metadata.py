"""Deliveries are found in Airflow's metadata, in whatever state they are, and only those of DAGs that may be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_campaigns.overview.delivery import TaskId, Wanted
from airflow_provider_campaigns.overview.overview import Overview, open_overview
from tests.overview.metadata import NOW, Noted, progress, put, receipt

PREFIX = f"overview_{uuid4().hex[:8]}"
MINE, OTHER = f"{PREFIX}_mine", f"{PREFIX}_other"

# What a vendor says may name somebody, and be of any form.
WAITS = {
    "waits_for": "exotel",
    "status": "InProgress",
    "facts": {"name": "for +447700900001", "completed": 3, "list": [1], "empty": ""},
    "updated": NOW.isoformat(),
}

NOTED = [
    Noted(MINE, "new", xcoms={"receipt": receipt("xebo", "spring", accepted=90, invalid=10)}, minutes_ago=10),
    Noted(MINE, "unknown", xcoms={"receipt": receipt("collect", "50% off", accepted=9, unknown=1)}, minutes_ago=20),
    Noted(
        MINE,
        "early",
        state="failed",
        xcoms={"receipt": receipt("ozonetel", "Été", accepted=1, unsent=4)},
        minutes_ago=30,
    ),
    Noted(MINE, "refused", state="failed", xcoms={"receipt": receipt("exotel", rejected=5)}, minutes_ago=40),
    Noted(MINE, "bad", xcoms={"receipt": receipt("xtremepush", accepted=80, invalid=20)}, minutes_ago=50),
    Noted(
        MINE, "runs", state="running", progress=progress("xebo", "spring", accepted=400), minutes=None, minutes_ago=1
    ),
    Noted(MINE, "waits", state="up_for_retry", progress=progress("xebo", accepted=1), minutes_ago=5),
    Noted(MINE, "killed", state="failed", progress=progress("collect", accepted=7), minutes_ago=60),
    Noted(MINE, "mapped", map_index=2, xcoms={"receipt": receipt(accepted=1)}, minutes_ago=70),
    # Airflow 3.3 keeps both.
    Noted(MINE, "both", xcoms={"receipt": receipt(accepted=3)}, progress=progress(accepted=2), minutes_ago=80),
    Noted(MINE, "sensor", state="deferred", minutes=None, progress=WAITS),
    Noted(MINE, "odd", xcoms={"receipt": "no receipt"}, minutes_ago=90),
    Noted(MINE, "none", xcoms={"return_value": receipt(accepted=1)}),
    Noted(OTHER, "new", xcoms={"receipt": receipt(accepted=1)}, minutes_ago=15),
]


@pytest.fixture(scope="module", autouse=True)
def noted() -> None:
    put(NOTED)


@pytest.fixture
def overview() -> Iterator[Overview]:
    with open_overview() as overview:
        yield overview


def runs(overview: Overview, **wanted: Any) -> list[str]:
    wanted.setdefault("dag_ids", {MINE})
    return [view.task.run_id for view in overview.deliveries(Wanted(**wanted)).rows]


ALL = ["runs", "waits", "new", "unknown", "early", "refused", "bad", "killed", "mapped", "both", "odd"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ALL),
        ({"dag_ids": set()}, []),
        ({"dag_ids": {OTHER}}, ["new"]),
        ({"dag_ids": {MINE}, "dag_id": OTHER}, []),
        ({"run_id": "bad"}, ["bad"]),
        ({"vendor": "collect"}, ["unknown", "killed"]),
        ({"vendor": "%"}, []),
        ({"state": "running"}, ["runs", "waits"]),
        ({"state": "complete"}, ["new", "unknown", "refused", "bad", "mapped", "both", "odd"]),
        ({"state": "incomplete"}, ["early", "killed"]),
        ({"since": NOW - timedelta(minutes=25)}, ["runs", "waits", "new", "unknown"]),
        ({"until": NOW - timedelta(minutes=65)}, ["mapped", "both", "odd"]),
        ({"search": "SPRING", "vendor": "xebo", "state": "running"}, ["runs", "waits"]),
        ({"search": "50% off"}, ["unknown"]),
        ({"search": "_%_"}, []),
        ({"search": "Été"}, ["early"]),
        ({"search": "killed"}, ["killed"]),
    ],
)
def test_they_are_found_by_what_is_wanted(overview: Overview, wanted: dict[str, Any], expected: list[str]) -> None:
    assert runs(overview, **wanted) == expected


def test_a_part_is_returned_and_all_are_counted(overview: Overview) -> None:
    page = overview.deliveries(Wanted(dag_ids={MINE}), first=2, most=3)

    assert [view.task.run_id for view in page.rows] == ALL[2:5]
    assert page.total == len(ALL)


def test_one_that_ended_has_its_counts(overview: Overview) -> None:
    view = overview.delivery(TaskId(MINE, "new", "send"))

    assert view
    assert (view.vendor, view.campaign, view.state, view.task_state) == ("xebo", "spring", "complete", "success")
    assert (view.contacts, view.count("accepted"), view.count("invalid"), view.requests) == (100, 90, 10, 1)
    assert view.began == NOW - timedelta(minutes=10)
    assert view.ended == NOW - timedelta(minutes=7)
    assert (view.per_second, view.minutes_left) == (None, None)


def test_one_that_runs_has_its_rate(overview: Overview) -> None:
    view = overview.delivery(TaskId(MINE, "runs", "send"))

    assert view
    assert (view.state, view.ended, view.contacts, view.done) == ("running", None, 1_000, 400)
    assert (view.per_second, view.minutes_left, view.updated) == (12.5, 1.5, NOW)


@pytest.mark.parametrize("task", [TaskId(MINE, "mapped", "send"), TaskId(MINE, "none", "send"), TaskId("-", "-", "-")])
def test_there_is_none(overview: Overview, task: TaskId) -> None:
    assert overview.delivery(task) is None


def test_a_mapped_one_is_that_of_its_map_index(overview: Overview) -> None:
    view = overview.delivery(TaskId(MINE, "mapped", "send", 2))

    assert view
    assert view.count("accepted") == 1


def test_what_is_no_receipt_has_no_counts(overview: Overview) -> None:
    view = overview.delivery(TaskId(MINE, "odd", "send"))

    assert view
    assert (view.vendor, view.contacts, view.counts) == ("", None, {})


def test_those_that_need_somebody(overview: Overview) -> None:
    needs = overview.needs(Wanted(dag_ids={MINE}))

    assert [(need.delivery.task.run_id, need.kind) for need in needs] == [
        ("unknown", "unknown"),
        ("early", "incomplete"),
        ("refused", "failed"),
        ("bad", "invalid"),
        ("killed", "incomplete"),
    ]
    assert needs[0].problem.startswith("Of 1 contact it is unknown")
    assert needs[3].problem == "20 of 100 rows are invalid (20%)"


def test_those_that_wait(overview: Overview) -> None:
    (task,) = overview.waiting({MINE})

    assert (task.task.run_id, task.vendor, task.status, task.updated) == ("sensor", "exotel", "InProgress", NOW)
    assert list(task.facts.items()) == [("completed", "3"), ("name", "for +44***01")]
    assert overview.waiting({OTHER}) == []
