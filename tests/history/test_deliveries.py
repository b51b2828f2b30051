"""Who holds a place under a cap, and what the tables say of a delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.deliveries import About
from airflow_provider_campaigns.history.hashing import Hasher
from airflow_provider_campaigns.history.tables import contacts, deliveries
from airflow_provider_campaigns.protocol.history import HeldBack
from tests.history.people import PHONE, age, delivery, end, numbered, person, with_email

CAP = "1 per 7 days"


def rows(history: History, table: sa.Table) -> list[Any]:
    with history.database.engine.connect() as connection:
        return [*connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()]


def statuses(history: History) -> list[str]:
    return [row["status"] for row in rows(history, contacts)]


@pytest.mark.parametrize(
    ("status", "holds"),
    [("accepted", True), ("unknown", True), ("rejected", False), ("duplicate", False), (None, True)],
)
def test_who_was_reached_or_may_have_been_holds_a_place(history: History, status: str | None, holds: bool) -> None:
    first = delivery(history, "first")
    first.reserve(numbered(1, 2))
    if status:
        end(first, numbered(1, 2), status)

    held = delivery(history, "second", [CAP]).reserve(numbered(2, 3))

    assert held == ({1: HeldBack("capped", "1 per week")} if holds else {})


def test_who_was_not_sent_to_gives_the_place_back(history: History) -> None:
    first = delivery(history, "first", [CAP])
    first.reserve(numbered(1, 2, 3))
    first.release(2, 3)

    assert delivery(history, "second", [CAP]).reserve(numbered(1, 2, 3)).keys() == {1}
    assert statuses(history).count("unsent") == 2


def test_what_a_delivery_reserved_is_its_own(history: History) -> None:
    for _ in range(2):
        assert not delivery(history, "first", [CAP]).reserve(numbered(1, 2))

    assert statuses(history) == ["intended"] * 2


@pytest.mark.parametrize("later", [60.0, 86_400.0])
def test_what_a_run_of_the_same_id_reserved_that_was_deleted_is_anothers(history: History, later: float) -> None:
    begins = datetime.now(UTC).timestamp()
    first = delivery(history, "again", began=begins - later)
    first.reserve(numbered(1, 2))
    end(first, numbered(1, 2), "accepted")
    with history.database.engine.begin() as connection:
        begun = datetime.fromtimestamp(begins - later, UTC).replace(tzinfo=None)
        connection.execute(sa.update(deliveries).values(begun=begun))

    for _ in range(2):
        held = delivery(history, "again", [CAP], began=begins).reserve(numbered(1, 3))
        assert held.keys() == {1}

    assert statuses(history).count("accepted") == 2
    assert len(rows(history, deliveries)) == 2
    assert not delivery(history, "again", [CAP], began=begins - later).reserve(numbered(1, 2))


def test_a_delivery_that_repeats_a_person_is_capped_too(history: History) -> None:
    assert delivery(history, "first", ["2 per day"]).reserve(numbered(1, 1, 1, 2)).keys() == {3}


@pytest.mark.parametrize(("days", "held"), [(6.9, True), (7.1, False)])
def test_a_place_is_free_again_after_the_period(history: History, days: float, held: bool) -> None:
    delivery(history, "first").reserve(numbered(1))
    age(history, days)

    assert bool(delivery(history, "second", [CAP]).reserve(numbered(1))) is held


@pytest.mark.parametrize(
    ("scope", "other", "held"),
    [
        ("", About("other", "a", "c", "call"), True),
        (" per vendor", About("acme", "b", "autumn", "call"), True),
        (" per vendor", About("other", "b", "spring", "sms"), False),
        (" per channel", About("other", "b", "autumn", "sms"), True),
        (" per channel", About("acme", "b", "spring", "email"), False),
        (" per campaign", PHONE, True),
        (" per campaign", About("acme", PHONE.account, "autumn", "sms"), False),
    ],
)
def test_the_scope_of_a_cap(history: History, scope: str, other: About, held: bool) -> None:
    delivery(history, "first", about=other).reserve(numbered(1))

    assert bool(delivery(history, "second", [f"{CAP}{scope}"]).reserve(numbered(1))) is held


def test_each_of_several_caps_counts(history: History) -> None:
    for run in ("first", "second"):
        delivery(history, run).reserve(numbered(1))
        age(history, 2)

    held = delivery(history, "third", ["1 per day", "2 per 7 days"]).reserve(numbered(1))

    assert held[1].reason == "2 per week"


def test_one_address_of_a_contact_is_enough(history: History) -> None:
    delivery(history, "first").reserve([(1, with_email(person(1), "one@example.com"))])

    held = delivery(history, "second", [CAP]).reserve([(1, with_email(person(2), "ONE@example.com")), (2, person(3))])

    assert held.keys() == {1}


def test_links_contact_nobody(history: History) -> None:
    delivery(history, "first").reserve(numbered(1))

    assert not delivery(history, "second", [CAP], About("acme", "a", "c", "")).reserve(numbered(1))


def test_what_is_sent_later_counts_from_then_on(history: History) -> None:
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=10)
    delivery(history, "now").reserve(numbered(1))

    assert not delivery(history, "later", [CAP], sends_at=later).reserve(numbered(1))
    assert delivery(history, "later too", [CAP], sends_at=later - timedelta(days=1)).reserve(numbered(1))


@pytest.mark.parametrize(("days", "held"), [(6.9, True), (7.1, False)])
def test_what_is_sent_later_holds_back_within_the_period_before_it(history: History, days: float, held: bool) -> None:
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=days)
    delivery(history, "later", sends_at=later).reserve(numbered(1))

    assert bool(delivery(history, "now", [CAP]).reserve(numbered(1))) is held


def test_who_was_held_back_is_known_to_a_later_try(history: History) -> None:
    delivery(history, "first").reserve(numbered(1, 2))
    delivery(history, "second", [CAP]).reserve(numbered(3, 2, 4))

    assert delivery(history, "second", [CAP]).held_back(1, 3) == {2: HeldBack("capped", "1 per week")}
    assert not delivery(history, "second", [CAP]).held_back(3, 3)


def test_who_may_have_been_sent_to_before_keeps_the_place_when_held_back(history: History) -> None:
    first = delivery(history, "first", [CAP])
    first.reserve(numbered(1))
    end(first, numbered(1), "unknown")
    delivery(history, "second").reserve(numbered(1))

    assert first.reserve(numbered(1), again={1}).keys() == {1}
    assert "unknown" in statuses(history)


def test_a_key_that_was_replaced_is_still_counted_by(history: History) -> None:
    delivery(history, "first").reserve(numbered(1))
    rotated = History(history.database, Hasher(("the next secret", *history.hasher.keys)))
    forgotten = History(history.database, Hasher(("the next secret",)))

    assert delivery(rotated, "second", [CAP]).reserve(numbered(1))
    assert not delivery(forgotten, "third", [CAP]).reserve(numbered(1))


@pytest.mark.parametrize("resent", [False, True])
@pytest.mark.parametrize(("status", "holds"), [("accepted", True), ("unknown", True), ("rejected", False)])
def test_a_key_that_is_replaced_between_two_tries_counts_nobody_twice(
    history: History, status: str, holds: bool, resent: bool
) -> None:
    delivery(history, "first").reserve(numbered(1, 2))
    rotated = History(history.database, Hasher(("the next secret", *history.hasher.keys)))
    retry = delivery(rotated, "first")
    if resent:
        assert not retry.reserve(numbered(1, 2), again={1, 2})
    end(retry, numbered(1, 2), status)

    assert statuses(history) == [status] * 2
    assert not delivery(rotated, "second", ["2 per 7 days"]).reserve(numbered(1))
    assert bool(delivery(rotated, "third", [CAP]).reserve(numbered(2))) is holds


def test_the_tables_name_nobody(history: History) -> None:
    one = delivery(history, "first")
    one.reserve([(1, with_email(person(1), "one@example.com"))])
    end(one, [(1, with_email(person(1), "one@example.com"))], "accepted")

    text = str(rows(history, contacts)) + str(rows(history, deliveries))

    assert "900001" not in text
    assert "one@" not in text
    assert [row["vendor_id"] for row in rows(history, contacts)] == ["id-1"] * 2


def test_a_delivery_has_a_row(history: History) -> None:
    one = delivery(history, "first")
    one.reserve(numbered(1, 2))
    (running,) = rows(history, deliveries)
    one.end("complete", {"contacts": 2, "accepted": 2, "requests": 1, "vendor": "acme"})
    (complete,) = rows(history, deliveries)

    assert (running["state"], running["ended"], running["dag_id"], running["campaign"]) == (
        "running",
        None,
        "dag",
        "spring",
    )
    assert (complete["state"], complete["accepted"], complete["requests"]) == ("complete", 2, 1)
    assert complete["begun"] == running["begun"] <= complete["ended"]


def test_texts_that_are_too_long_are_cut(history: History) -> None:
    one = delivery(history, "first", about=About("acme", "a", "c" * 1000, "sms"))
    one.reserve(numbered(1))
    one.settle([end._replace(reason="é" * 1000, vendor_id="v" * 1000) for end in _ends()])

    (row,) = rows(history, contacts)
    assert (len(row["reason"]), len(row["vendor_id"])) == (250, 250)


def _ends() -> Any:
    from airflow_provider_campaigns.protocol.history import ContactEnd

    return [ContactEnd(1, person(1), "accepted", None, None)]
