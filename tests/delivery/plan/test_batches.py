"""Of all rows, those that may be sent are put into batches once each; the others end with the reason why not."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.plan.batches import MOST_ROWS, Batch, Fingerprint, cut_batches
from airflow_provider_campaigns.delivery.plan.exclusions import Exclusions, read_exclusions
from airflow_provider_campaigns.delivery.plan.preflight import check
from airflow_provider_campaigns.delivery.plan.reading import (
    NOT_ALLOWED,
    NOT_STORABLE,
    REPEATED,
    TOO_LONG,
    Reading,
    masked,
)
from airflow_provider_campaigns.delivery.plan.sources import Row, Source, open_source
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.protocol.send import Contact
from airflow_provider_campaigns.vendors.xtremepush.dialect import Xtremepush
from airflow_provider_campaigns.vendors.xtremepush.send import ExecuteCampaign
from tests.delivery.world import AcmeSend, phones

SEND = AcmeSend()


def reading(**options: Any) -> Reading:
    return Reading(SEND, **options)


def source(rows: Iterable[Any]) -> Source:
    return open_source([row if isinstance(row, Mapping) else {"phone": row} for row in rows])


def batches(rows: Iterable[Any], size: int = 2, **options: Any) -> list[Batch]:
    return list(cut_batches(reading(**options), source(rows), size))


def ends(rows: Iterable[Any], **options: Any) -> list[str | None]:
    """Return for each row why it is not sent, None when it is."""
    reasons: dict[int, str | None] = {}
    for batch in batches(rows, **options):
        reasons |= dict.fromkeys((row for row, _ in batch.contacts))
        reasons |= {line["row"]: line["reason"] for line in batch.outcomes}
    return [reasons[row] for row in sorted(reasons)]


def excluding(value: Any, **options: Any) -> Exclusions:
    return read_exclusions(open_source(value, "exclude", plain=True), reading(**options))


# -- batches


def test_a_batch_holds_no_more_contacts_than_its_size_and_all_rows_between_them() -> None:
    first, second, *others = batches([*phones(2), "none", "+447700900002", "none", "none", "+447700900003"])

    assert not others
    assert (first.rows, second.rows) == (Rows(1, 3), Rows(4, 7))
    assert [row for row, _ in first.contacts] == [1, 2]
    assert [line["row"] for line in second.outcomes] == [5, 6]


def test_each_row_is_in_one_batch() -> None:
    rows = ["none", *phones(3), "none", "none", *phones(4, first=3), "none"]
    for size in (1, 2, 3, 500):
        cut = batches(rows, size)
        covered = [row for batch in cut for row in range(batch.rows.first, batch.rows.last + 1)]
        held = [
            number
            for batch in cut
            for number in sorted([*(row for row, _ in batch.contacts), *(line["row"] for line in batch.outcomes)])
        ]
        assert covered == held == list(range(1, len(rows) + 1))


def test_rows_that_are_not_sent_close_a_batch_by_themselves() -> None:
    assert [batch.rows for batch in batches(["none"] * (MOST_ROWS + 1))] == [
        Rows(1, MOST_ROWS),
        Rows(MOST_ROWS + 1, MOST_ROWS + 1),
    ]


def test_no_contacts_make_no_batches() -> None:
    assert batches([]) == []


def test_settled_rows_are_left_out_and_batches_do_not_reach_over_them() -> None:
    cut = list(cut_batches(reading(), source(phones(10)), 4, RowSet([[1, 2], [5, 6]])))

    assert [batch.rows for batch in cut] == [Rows(3, 4), Rows(7, 10)]
    assert not any(batch.earlier for batch in cut)


def test_unresolved_rows_come_in_batches_of_their_own_of_this_trys_size() -> None:
    cut = list(cut_batches(reading(), source(phones(10)), 2, RowSet([[1, 3]]), RowSet([[7, 9], [4, 6]])))

    assert [(batch.rows, batch.earlier) for batch in cut] == [
        (Rows(4, 5), True),
        (Rows(6, 7), True),
        (Rows(8, 9), True),
        (Rows(10, 10), False),
    ]


def test_a_row_that_is_settled_does_not_come_back() -> None:
    cut = list(cut_batches(reading(), source(phones(4)), 2, RowSet([[1, 2]]), RowSet([[2, 3]])))

    assert [(batch.rows, batch.earlier) for batch in cut] == [(Rows(3, 3), True), (Rows(4, 4), False)]


# -- columns


def test_only_the_mapped_columns_are_sent() -> None:
    row = {"mobile": "+447700900000", "first": "Jo", "notes": "private"}

    (batch,) = batches([row], columns={"phone": "mobile", "name": "first"})

    assert batch.contacts[0][1].body == {"phone": "+447700900000", "name": "Jo"}


def test_without_a_mapping_every_column_is_sent_as_it_is_named() -> None:
    (batch,) = batches([{"phone": "+447700900000", "anything": 1}])

    assert batch.contacts[0][1].body == {"phone": "+447700900000", "anything": 1}


def test_a_mapped_column_that_a_row_does_not_have_is_left_out() -> None:
    (batch,) = batches([{"mobile": "+447700900000"}], columns={"phone": "mobile", "name": "first"})

    assert batch.contacts[0][1].body == {"phone": "+447700900000"}


def test_a_mapping_needs_its_source_columns(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("tel,name\n+447700900000,Jo\n")

    with pytest.raises(InputError, match="expected a column 'mobile', got columns 'tel', 'name'"):
        open_source(path).rows_with(reading(columns={"phone": "mobile"}).required())


def test_a_mapping_needs_the_vendors_fields() -> None:
    with pytest.raises(InputError, match=r"columns: expected an entry for 'phone', got \['name'\]"):
        reading(columns={"name": "first"}).required()


def test_without_a_mapping_the_vendors_fields_are_the_columns() -> None:
    assert reading().required() == [("phone",)]


# -- contacts that are not sent


def test_a_row_that_cannot_be_read_is_invalid() -> None:
    cut = list(cut_batches(reading(), Source("contacts", lambda: iter([Row(1, {}, "not JSON")])), 2))

    assert cut[0].outcomes[0] == {
        "row": 1,
        "key": None,
        "status": "invalid",
        "reason": "not JSON",
        "vendor_id": None,
        "url": None,
        "message": None,
    }


def test_an_invalid_contact_is_reported_without_its_address() -> None:
    assert ends(["+44 7700 900123 call after 5"]) == ["phone: expected digits, got +44***23 call after 5"]


@pytest.mark.parametrize(
    "row",
    [
        {"user_id": "cut \ud83d"},
        {"user_id": "2", "email": "cut\ud83d@example.com"},
        {"user_id": "2", "name": "Jo\0"},
        {"user_id": "2", "na\0me": "Jo"},
        {"user_id": "2", "more": {"name": "cut \ud83d"}},
        {"user_id": "2", "more": [1, ["Jo\0"]]},
        {"user_id": "2\0", "more": 1},
    ],
)
def test_a_contact_that_cannot_be_written_down_is_invalid(row: dict[str, Any]) -> None:
    (batch,) = cut_batches(Reading(ExecuteCampaign(Xtremepush(app_token="t"), 1)), source([{"user_id": "1"}, row]), 2)

    assert [(line["row"], line["status"], line["reason"]) for line in batch.outcomes] == [(2, "invalid", NOT_STORABLE)]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("x" * 99_000, None),
        ("x" * 100_001, TOO_LONG),
        (["x" * 50_001] * 2, TOO_LONG),
        ({"x" * 100_001: 1}, TOO_LONG),
        ([[]] * 5_000, None),
        ([[]] * 10_000, TOO_LONG),
        ([{"a": {}}] * 5_000, TOO_LONG),
        ([1.5] * 10_000, TOO_LONG),
    ],
)
def test_a_contact_that_would_fill_the_memory_is_invalid(more: Any, reason: str | None) -> None:
    rows = [{"user_id": "1", "more": more}, {"user_id": "2", more if isinstance(more, str) else "x": "y"}]
    (batch,) = cut_batches(Reading(ExecuteCampaign(Xtremepush(app_token="t"), 1)), source(rows), 2)

    expected = [("1", reason), ("2", reason if isinstance(more, str) else None)]
    assert [(line["key"], line["reason"]) for line in batch.outcomes] == [one for one in expected if one[1]]


def test_a_small_packed_file_does_not_fill_the_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "contacts.jsonl.gz", "wt", compresslevel=1) as file:
        for number in range(30):
            file.write(json.dumps({"user_id": str(number), "more": "x" * 1_000_000}) + "\n")
    reading = Reading(ExecuteCampaign(Xtremepush(app_token="t"), 1))
    # Imports what is needed.
    list(reading.entries(open_source(tmp_path / "contacts.jsonl.gz").read()))
    tracemalloc.start()
    try:
        (batch,) = cut_batches(reading, open_source(tmp_path / "contacts.jsonl.gz"), 1_000)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert {line["reason"] for line in batch.outcomes} == {TOO_LONG}


def test_a_contact_that_holds_itself_is_invalid() -> None:
    row: dict[str, Any] = {"user_id": "2"}
    row["more"] = row

    (batch,) = cut_batches(Reading(ExecuteCampaign(Xtremepush(app_token="t"), 1)), source([{"user_id": "1"}, row]), 2)

    assert [line["status"] for line in batch.outcomes] == ["invalid"]


def test_a_repeated_contact_is_a_duplicate_however_it_is_spelt() -> None:
    rows = ["+447700900000", "447700900000", "+447700900001", "+447700900000"]

    assert ends(rows) == [None, REPEATED, None, REPEATED]
    assert ends(rows, allow_repeats=True) == [None] * 4


def test_repeats_are_found_across_batches_and_settled_rows() -> None:
    rows = source(["+447700900000", *phones(3, first=5), "+447700900000"])

    (batch,) = cut_batches(reading(), rows, 1, RowSet([[1, 4]]))

    assert [line["reason"] for line in batch.outcomes] == [REPEATED]


def test_a_contact_that_is_not_allowed_is_invalid() -> None:
    assert ends([*phones(1), "+12025550100"], only_recipients=["+44*"]) == [None, NOT_ALLOWED]


# -- fingerprints


def fingerprint(reading: Reading, source: Source, row: int) -> str:
    return check(reading, source, row).fingerprint


def test_the_fingerprint_is_that_of_all_contacts_so_far() -> None:
    rows = ["none", *phones(6)]
    ends_of_batches = {batch.rows.last: batch.fingerprint for size in (1, 2, 3) for batch in batches(rows, size)}

    for row, expected in ends_of_batches.items():
        assert fingerprint(reading(), source(rows), row) == expected
        assert fingerprint(reading(), source([*rows[:row], *phones(3, first=50)]), row) == expected
    assert len(set(ends_of_batches.values())) == len(ends_of_batches)


@pytest.mark.parametrize(
    "rows",
    [
        ["+447700900000", "+447700900002", "+447700900001"],
        ["+447700900000", "+447700900001", "447700900002"],
        ["none", "+447700900001", "+447700900002"],
        ["+447700900000", "+447700900001"],
    ],
)
def test_other_contacts_have_another_fingerprint(rows: list[str]) -> None:
    assert fingerprint(reading(), source(rows), 3) != fingerprint(reading(), source(phones(3)), 3)


def test_opt_outs_that_came_later_do_not_change_the_fingerprint() -> None:
    before = fingerprint(reading(), source(phones(3)), 3)

    assert fingerprint(reading(excluded=excluding(phones(1))), source(phones(3)), 3) == before
    assert fingerprint(reading(only_recipients=["+99*"]), source(phones(3)), 3) == before


# -- memory


@pytest.mark.parametrize("apart", [1, 2, 199, 200, 201, 1_000])
def test_a_repeat_is_found_however_far_apart(apart: int) -> None:
    rows = phones(apart + 1)
    rows[apart] = rows[0]

    entries = list(reading().entries(source(rows).read()))

    assert [row for row, contact in entries if isinstance(contact, dict)] == [apart + 1]
    assert [row for row, _ in entries] == list(range(1, apart + 2))


@pytest.mark.slow
def test_memory_stays_flat_however_many_contacts(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    with path.open("w") as file:
        file.write("phone\n")
        file.writelines(f"+4477{number:08}\n" for number in range(20_000))

    def peak(rows: int) -> int:
        def read() -> Iterator[Row]:
            return (row for row in open_source(path).read() if row.number <= rows)

        few = replace(open_source(path), read=read)
        tracemalloc.start()
        sent = sum(len(batch.contacts) for batch in cut_batches(reading(excluded=Exclusions()), few, 100))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sent == rows
        return most

    assert peak(20_000) < 1.5 * peak(2_000)


# -- masking


def test_text_is_shown_without_the_contacts_in_it() -> None:
    contacts = [Contact("user-1", {}, ("jo@example.com",)), Contact("+447700900000", {}, ())]

    shown = masked("user-1 <jo@example.com> and +447700900000", contacts)

    assert not any(text in shown for text in ("user-1", "jo@example.com", "447700900000"))


def test_what_a_row_holds_that_cannot_be_sent_is_its_key_and_no_part_of_the_fingerprint() -> None:
    def read(*phones: str) -> tuple[list[Any], str]:
        source = open_source([{"name": "Jo", "phone": phone} for phone in phones])
        fingerprint = Fingerprint()
        batches = list(cut_batches(Reading(AcmeSend()), source, 10, fingerprint=fingerprint))
        return [line["key"] for batch in batches for line in batch.outcomes], fingerprint.hexdigest()

    keys, digest = read("+447700900000", "no number", " ", "x" * 200)
    others, same = read("+447700900000", "none either", "", "y")
    _, another = read("+447700900001", "no number", " ", "x" * 200)

    assert keys == ["no number", "Jo", "x" * 100]
    assert others == ["none either", "Jo", "y"]
    assert digest == same != another
