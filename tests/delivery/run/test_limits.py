"""What a delivery may end with and still be a success; see test_engine for when one is stopped."""

from __future__ import annotations

import pytest

from airflow_provider_campaigns.delivery.record.receipt import Receipt, make_receipt
from airflow_provider_campaigns.delivery.run.limits import FEWEST_FOR_SHARE, Limits
from airflow_provider_campaigns.exceptions import TooManyInvalidError, TooManyRejectedError, UnknownOutcomesError
from airflow_provider_campaigns.parameters import OnUnknown


def receipt(**counts: int) -> Receipt:
    return make_receipt("acme", "spring", counts, 1, None)


@pytest.mark.parametrize("counts", [{}, {"accepted": 3}, {"invalid": 3}, {"duplicate": 2, "rejected": 1}])
def test_without_limits_what_was_dealt_with_is_a_success(counts: dict[str, int]) -> None:
    assert Limits().failure(receipt(**counts)) is None


@pytest.mark.parametrize(("on_unknown", "final"), [("fail", True), ("resend", False), ("skip", None)])
def test_unknown_outcomes_fail_unless_they_are_skipped(on_unknown: OnUnknown, final: bool | None) -> None:
    error = Limits(on_unknown).failure(receipt(accepted=2, unknown=3))

    if final is None:
        assert error is None
    else:
        assert isinstance(error, UnknownOutcomesError)
        assert error.final is final
        assert "3 contacts may have been sent" in str(error)


def test_a_delivery_of_which_everything_was_rejected_fails_whatever_the_limit() -> None:
    error = Limits(max_rejected=100).failure(receipt(rejected=3, invalid=1), "; the first one: no such number")

    assert isinstance(error, TooManyRejectedError)
    assert error.final
    assert str(error) == "acme rejected all 3 contacts; the first one: no such number"


@pytest.mark.parametrize(
    ("limit", "rejected", "fails"),
    [(0, 0, False), (0, 1, True), (2, 2, False), (2, 3, True), (0.5, 5, False), (0.5, 6, True), (0.0, 1, True)],
)
def test_a_limit_is_a_number_or_a_share_of_those_sent(limit: float, rejected: int, fails: bool) -> None:
    error = Limits(max_rejected=limit).failure(receipt(rejected=rejected, accepted=10 - rejected, invalid=90))

    assert (error is not None) == fails
    if error:
        assert error.final
        assert str(error) == f"{rejected} of 10 contacts were rejected, max_rejected is {limit}"


def test_a_share_of_the_first_few_stops_nothing_but_a_number_does() -> None:
    few = {"rejected": FEWEST_FOR_SHARE - 1}
    enough = {"rejected": FEWEST_FOR_SHARE}

    assert Limits(max_rejected=0.1).exceeded(few) is None
    assert isinstance(Limits(max_rejected=0.1).exceeded(enough), TooManyRejectedError)
    assert isinstance(Limits(max_rejected=10).exceeded(few, "; why"), TooManyRejectedError)
    assert Limits().exceeded(enough) is None
    assert Limits(max_rejected=1).exceeded({}) is None


# -- invalid contacts


@pytest.mark.parametrize(
    ("limit", "invalid", "rows", "fails"),
    [
        (None, 10, 10, False),
        (0, 0, 10, False),
        (0, 1, 10, True),
        (3, 3, 5, False),
        (3, 4, 5, True),
        (0.5, 9, 9, False),
        (0.5, 5, 10, False),
        (0.5, 6, 10, True),
        (0.0, 1, 10, True),
        (1.0, 10, 10, False),
    ],
)
def test_invalid_contacts_are_limited_by_number_or_from_the_tenth_row_on_by_share(
    limit: float | None, invalid: int, rows: int, fails: bool
) -> None:
    limits = Limits(max_invalid=limit)

    at_the_end = limits.failure(receipt(invalid=invalid, accepted=rows - invalid))
    under_way = limits.exceeded({"invalid": invalid}, rows=rows)

    for error in (at_the_end, under_way):
        assert (error is not None) == fails
        if error:
            assert isinstance(error, TooManyInvalidError)
            assert error.final
            assert str(error) == f"{invalid} of {rows} contacts are invalid, max_invalid is {limit}"


def test_contacts_that_are_left_out_on_purpose_are_not_invalid_for_the_limit() -> None:
    limits = Limits(max_invalid=0.5)

    assert limits.failure(receipt(invalid=12, accepted=2), left_out=9) is None
    assert limits.exceeded({"invalid": 12, "left_out": 9}, rows=14) is None


# -- contacts that are sent to again


@pytest.mark.parametrize(
    ("on_unknown", "resends", "final", "words"),
    [
        ("fail", 0, True, "on_unknown='resend'; to keep them as they are, with on_unknown='skip'"),
        ("resend", 0, False, "max_resends is 3"),
        ("resend", 2, False, "may have been sent, up to 3 times, "),
        ("resend", 3, True, "may have been sent, up to 4 times, "),
    ],
)
def test_it_is_said_how_often_it_was_sent_and_what_to_do(
    on_unknown: OnUnknown, resends: int, final: bool, words: str
) -> None:
    error = Limits(on_unknown).failure(receipt(unknown=2), most_resends=resends)

    assert error is not None
    assert words in str(error)
    assert error.final is final
    assert error.remedy == {"on_unknown": "skip" if on_unknown == "resend" else "resend"}
