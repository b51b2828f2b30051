"""One pass over the source finds what must be known of it before anything is sent."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.plan.preflight import ROWS_TO_WARN_OF, PreflightResult, check, count_recipients
from airflow_provider_campaigns.delivery.plan.reading import NATIONAL, Reading
from airflow_provider_campaigns.delivery.plan.sources import Row, Source, open_source
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.protocol.send import Contact
from tests.delivery.world import AcmeSend, phones


class CountingSend(AcmeSend):
    """Counts the contacts it made; with a region there are no national forms to warn of."""

    made = 0
    region = "GB"

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        type(self).made += 1
        return super().contact(fields)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[CountingSend]:
    monkeypatch.setattr(CountingSend, "made", 0)
    return CountingSend


def people(*rows: str) -> Source:
    return open_source([{"phone": row} for row in rows])


def test_a_source_that_counts_its_rows_is_not_read_to_its_end_for_that(counting: type[CountingSend]) -> None:
    source = people(*phones(1000))
    read: list[Row] = []

    def rows() -> Iterator[Row]:
        for row in source.read():
            read.append(row)
            yield row

    assert check(Reading(counting()), Source("contacts", rows, count=lambda: 1000)).rows == 1000
    assert len(read) < 500


def test_the_source_is_read_once(counting: type[CountingSend]) -> None:
    source = people(*phones(1000))
    reads = 0

    def read() -> Iterator[Row]:
        nonlocal reads
        reads += 1
        return source.read()

    checked = check(Reading(counting()), Source("contacts", read), 500)

    assert checked.rows == 1000
    assert checked.fingerprint
    assert reads == 1


@pytest.mark.parametrize(("row", "made"), [(0, 200), (1, 200), (200, 200), (201, 400), (450, 450), (451, 450)])
def test_rows_become_contacts_only_as_far_as_must_be(counting: type[CountingSend], row: int, made: int) -> None:
    """They do so some hundred at a time."""
    assert check(Reading(counting()), people(*phones(450)), row).rows == 450

    assert counting.made == made


@pytest.mark.parametrize(
    ("numbers", "region", "warned"),
    [
        (["+447700900000", "+447700900001"], None, []),
        (["+447700900000", "447700900001"], None, []),
        (["+447700900000", "07700900001"], None, [2]),
        (["none", "7700900001", "07700900002"], None, [2]),
        ([*phones(900), "07700900999"], None, [901]),
        (["+447700900000", "07700900001"], "GB", []),
    ],
)
def test_a_national_form_is_warned_of_once_before_anything_is_sent(
    numbers: list[str], region: str | None, warned: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    class Send(AcmeSend):
        pass

    Send.region = region
    reading = Reading(Send())
    source = people(*numbers)

    check(reading, source)
    assert caplog.messages == [NATIONAL % row for row in warned]

    list(reading.entries(source.read()))
    assert len(caplog.messages) == len(warned)


def test_a_national_form_that_comes_late_is_warned_of_when_it_is_read(caplog: pytest.LogCaptureFixture) -> None:
    reading = Reading(AcmeSend())
    source = people(*phones(ROWS_TO_WARN_OF), "07700900001")

    check(reading, source)
    assert caplog.messages == []

    list(reading.entries(source.read()))
    assert caplog.messages == [NATIONAL % (ROWS_TO_WARN_OF + 1)]


def test_no_fingerprint_of_more_rows_than_there_are() -> None:
    assert check(Reading(AcmeSend()), people(*phones(3)), 4).fingerprint == ""
    assert check(Reading(AcmeSend()), people(*phones(3))).fingerprint == ""


@pytest.mark.parametrize(
    ("rows", "nobody"),
    [
        (["none", "nothing"], "phone: expected digits, got none"),
        (["none", *phones(1)], None),
        ([*phones(1), "none"], None),
        (["+447700900099"], None),
        (["+447700900099", "nothing"], "phone: expected digits, got nothing"),
    ],
)
def test_nobody_to_send_to_is_reported_unless_it_is_on_purpose(rows: list[str], nobody: str | None) -> None:
    checked = check(Reading(AcmeSend(), only_recipients=["+44770090000*"]), people(*rows))

    assert checked.nobody == nobody
    assert checked.rows == len(rows)


def test_what_is_wrong_at_the_end_of_a_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(b"phone\n" + b"+447700900000\n" * 10_000 + b"\xe9\n")

    with pytest.raises(InputError, match="expected UTF-8 text"):
        check(Reading(AcmeSend()), open_source(path))


def test_a_missing_column_is_reported_before_anything_else() -> None:
    with pytest.raises(InputError, match="expected a column 'phone', got columns 'tel'"):
        check(Reading(AcmeSend()), open_source([{"tel": "1"}]))


def test_recipients_are_those_that_would_be_sent_to() -> None:
    assert count_recipients(Reading(AcmeSend()), people(*phones(3), *phones(1), "none")) == 3


@pytest.mark.slow
def test_memory_is_flat(tmp_path: Path) -> None:
    peaks = []
    for number in (1_000, 20_000):
        path = tmp_path / f"{number}.csv"
        path.write_text("phone\n" + "".join(f"{phone}\n" for phone in phones(number)))
        tracemalloc.start()
        assert check(Reading(AcmeSend()), open_source(path), number) != PreflightResult(0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.2 * peaks[0]
