"""Items come in their order, whichever thread reads them; the first ones are read by whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count, islice

import pytest

from airflow_provider_campaigns.delivery.run.lookahead import Lookahead

HERE = threading.get_ident


def readers(made_by: list[int]) -> Iterator[int]:
    """Yield numbers for ever, and take note of the thread that each was made by."""
    for number in count():
        made_by.append(HERE())
        yield number


def test_nothing_is_read_elsewhere_before_it_is_asked_for() -> None:
    made_by: list[int] = []
    with Lookahead(readers(made_by)) as numbers:
        assert list(islice(numbers, 3)) == [0, 1, 2]

    assert set(made_by) == {HERE()}


def test_what_is_fetched_is_read_by_another_thread_and_comes_first() -> None:
    made_by: list[int] = []
    with Lookahead(readers(made_by)) as numbers:
        assert next(numbers) == 0
        numbers.fetch(2)
        assert list(islice(numbers, 4)) == [1, 2, 3, 4]

    assert [thread == HERE() for thread in made_by] == [True, False, False, True, True]


def test_no_more_is_read_ahead_than_was_asked_for() -> None:
    made_by: list[int] = []
    with Lookahead(readers(made_by)) as numbers:
        numbers.fetch(3)
        numbers.fetch(3)
        assert next(numbers) == 0
        numbers.fetch(3)
        assert next(numbers) == 1

    assert len(made_by) == 4


def test_the_end_is_reported_as_often_as_one_asks() -> None:
    with Lookahead(iter([1])) as numbers:
        numbers.fetch(2)
        assert list(numbers) == [1]
        numbers.fetch(2)
        assert list(numbers) == []


def test_nobody_waits_for_what_nobody_will_ask_for() -> None:
    made_by: list[int] = []
    with Lookahead(readers(made_by)) as numbers:
        numbers.fetch(10_000_000)

    assert len(made_by) < 10_000_000


@pytest.mark.parametrize("fetch", [lambda numbers: numbers.fetch(5), lambda numbers: None], ids=["ahead", "here"])
def test_what_cannot_be_read_is_raised_for_whoever_asks(fetch: Callable[[Lookahead[int]], None]) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with Lookahead(broken()) as numbers:
        assert next(numbers) == 1
        fetch(numbers)
        with pytest.raises(ValueError, match="broken"):
            next(numbers)


def test_reading_is_over_when_the_iterator_is_left() -> None:
    begun, go_on, read = threading.Event(), threading.Event(), []

    def slow() -> Iterator[int]:
        begun.set()
        go_on.wait(10)
        read.append(1)
        yield 1

    with Lookahead(slow()) as numbers:
        numbers.fetch(1)
        assert begun.wait(10)
        go_on.set()

    assert read == [1]
