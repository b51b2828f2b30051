"""What a delivery may end with and still be a success; see test_engine for when one is stopped."""

from __future__ import annotations

import pytest

from airflow_provider_campaigns.delivery.record.receipt import Receipt, make_receipt
from airflow_provider_campaigns.delivery.run.limits import FEWEST_FOR_SHARE, Limits, OnUnknown
from airflow_provider_campaigns.exceptions import TooManyRejectedError, UnknownOutcomesError


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
