"""A set of rows is the set of its numbers, however its ranges came."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet

ranges = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 8)).map(lambda start: Rows(start[0], start[0] + start[1])), max_size=15
)


def numbers(rows: Rows) -> set[int]:
    return set(range(rows.first, rows.last + 1))


@given(ranges)
def test_a_set_of_ranges_is_the_set_of_their_numbers(given_ranges: list[Rows]) -> None:
    wanted = set().union(*map(numbers, given_ranges))

    rows = RowSet(given_ranges)

    assert {number for number in range(60) if number in rows} == wanted
    assert set().union(*map(numbers, rows)) == wanted


@given(ranges)
def test_ranges_are_sorted_and_never_adjoin(given_ranges: list[Rows]) -> None:
    kept = list(RowSet(given_ranges))

    assert all(one.last + 1 < other.first for one, other in pairwise(kept))


@given(ranges, ranges)
def test_taking_out_is_the_difference_of_their_numbers(given_ranges: list[Rows], others: list[Rows]) -> None:
    rows = RowSet(given_ranges)
    before = rows.copy()

    rows.discard(others)

    wanted = set().union(*map(numbers, given_ranges)) - set().union(*map(numbers, others))
    assert {number for number in range(60) if number in rows} == wanted
    assert list(before) == list(RowSet(given_ranges)), "a copy is a set of its own"


@given(ranges, ranges, st.sampled_from([list, sorted]))
def test_ranges_may_be_added_together(
    given_ranges: list[Rows], others: list[Rows], order: Callable[[list[Rows]], list[Rows]]
) -> None:
    rows = RowSet(given_ranges)

    rows.update(iter(order(others)))

    assert list(rows) == list(RowSet([*given_ranges, *others]))


def test_a_long_run_in_order_stays_one_range() -> None:
    rows = RowSet()
    for first in range(1, 1000, 3):
        rows.add(Rows(first, first + 2))

    assert list(rows) == [Rows(1, 999)]


def test_pairs_from_json_do_as_well() -> None:
    rows = RowSet([[4, 6]])
    rows.update([Rows(1, 2)])

    assert list(rows) == [Rows(1, 2), Rows(4, 6)]


@pytest.mark.parametrize("rows", [RowSet(), RowSet([[3, 4]])])
def test_what_lies_outside_is_not_in_it(rows: RowSet) -> None:
    assert 2 not in rows
    assert 5 not in rows


def test_an_empty_set_is_false() -> None:
    assert not RowSet()
    assert RowSet([[1, 1]])
