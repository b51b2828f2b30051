"""How a wait continues after a poll: what ends it, how long it pauses, what is reported of an error."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    CampaignError,
    InputError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol import polling
from airflow_provider_campaigns.protocol.polling import Poller, PollResult, error_from_event, error_to_event

NOW = 1_000_000.0
RUNNING = PollResult("running", "InProgress", {"calls": 3})


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=NOW)
    monkeypatch.setattr(polling, "time", SimpleNamespace(time=lambda: clock.now))
    return clock


def watch(**changes: Any) -> Poller:
    return Poller(**{"deadline": NOW + 10_000, **changes})


def unavailable(retry_after: float | None = None) -> VendorUnavailableError:
    error = VendorUnavailableError("exotel", "oops", status=503)
    error.retry_after = retry_after
    return error


# -- what ends a wait


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_final_state_does_also_after_the_deadline(state: Any, clock: SimpleNamespace) -> None:
    one = watch()
    clock.now += 20_000
    assert one.record_result(PollResult(state, "Over", {"calls": 3})) == {
        "state": state,
        "status": "Over",
        "details": {"calls": 3},
    }


def test_the_deadline_does_with_what_was_seen_last(clock: SimpleNamespace) -> None:
    one = watch()
    assert one.record_result(RUNNING) is None
    clock.now = one.deadline
    assert one.record_result(RUNNING) == {"state": "timeout", "status": "InProgress", "details": {"calls": 3}}


def test_a_poll_that_fails_at_the_deadline_is_reported_beside_what_was_seen_last(clock: SimpleNamespace) -> None:
    one = watch()
    one.record_result(RUNNING)
    clock.now = one.deadline
    failure = "exotel: unavailable (HTTP 503): oops"
    expected = {"state": "timeout", "status": "InProgress", "details": {"calls": 3, "failure": failure}}
    assert one.failed(unavailable()) == expected
    assert RUNNING.details == {"calls": 3}


def test_a_failure_is_forgotten_with_the_next_poll(clock: SimpleNamespace) -> None:
    one = watch()
    one.failed(unavailable())
    clock.now = one.deadline
    assert one.record_result(RUNNING) == {"state": "timeout", "status": "InProgress", "details": {"calls": 3}}


@pytest.mark.parametrize(
    "error",
    [
        CallRefusedError("exotel", "no", status=403),
        RequestRejectedError("exotel", "no", status=400),
        InputError("password", "the token", "nothing"),
    ],
)
def test_a_refusal_does_at_once(error: CampaignError) -> None:
    with pytest.raises(type(error)) as raised:
        watch().failed(error)
    assert raised.value is error


def test_one_failure_too_many_does(clock: SimpleNamespace) -> None:
    one = watch(max_failures=2)
    assert one.failed(unavailable()) is None
    assert one.failed(unavailable()) is None
    with pytest.raises(VendorUnavailableError) as raised:
        one.failed(unavailable())
    assert str(raised.value) == "exotel: unavailable (HTTP 503): 3 polls in a row failed, the last one: oops"


def test_none_may_fail_if_none_is_allowed_to() -> None:
    with pytest.raises(VendorUnavailableError, match="1 polls in a row failed"):
        watch(max_failures=0).failed(unavailable())


# -- pauses


def pauses(interval: float, failures: int, **changes: Any) -> list[float]:
    one, found = watch(max_failures=failures, **changes), []
    for _ in range(failures):
        one.failed(unavailable())
        found.append(one.pause(interval))
    return found


def test_all_is_well_one_interval() -> None:
    one = watch()
    one.record_result(RUNNING)
    assert one.pause(60) == 60


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (60, [60, 120, 240, 240, 240]),
        (1, [1, 2, 4, 4, 4]),
        (100, [100, 200, 300, 300, 300]),
        (900, [900, 900, 900, 900, 900]),
    ],
)
def test_failures_double_it_up_to_five_minutes_and_four_intervals(interval: float, expected: list[float]) -> None:
    found = pauses(interval, 5)
    assert all(least <= pause <= 1.1 * least for pause, least in zip(found, expected, strict=True))
    assert found != expected, "chance adds something"


def test_a_vendor_is_not_asked_before_it_wants_to_be() -> None:
    one = watch()
    one.failed(unavailable(retry_after=700.0))
    assert one.pause(60) == 700
    one.record_result(RUNNING)
    assert one.pause(60) == 60


def test_no_pause_goes_beyond_the_deadline(clock: SimpleNamespace) -> None:
    one = watch(deadline=NOW + 100)
    one.record_result(RUNNING)
    assert one.pause(900) == 100
    one.failed(unavailable(retry_after=700.0))
    assert one.pause(60) == 100
    clock.now += 200
    assert one.pause(60) == 0


def test_thousands_of_failures_can_be_counted() -> None:
    one = watch(max_failures=10_000, failures=5_000)
    one.failed(unavailable())
    assert 240 <= one.pause(60) <= 264


# -- events


@pytest.mark.parametrize("kind", [CallRefusedError, RequestRejectedError, VendorUnavailableError])
def test_an_error_comes_back_from_an_event_with_all_its_details(kind: type[VendorError]) -> None:
    error = kind("exotel", "no such campaign", status=404, code="E1")

    back = error_from_event(json.loads(json.dumps(error_to_event(error))))

    assert (type(back), str(back)) == (kind, str(error))
    assert isinstance(back, VendorError)
    assert (back.vendor, back.status, back.code) == ("exotel", 404, "E1")


def test_any_other_error_of_ours_comes_back_with_its_words() -> None:
    error = InputError("password of connection 'x'", "the API token", "nothing")
    back = error_from_event(json.loads(json.dumps(error_to_event(error))))
    assert (type(back), str(back)) == (CampaignError, str(error))


@pytest.mark.parametrize("event", [{}, {"state": "perhaps"}, {"state": "error", "error": "SystemExit"}])
def test_an_event_of_somebody_elses_is_an_error(event: dict[str, Any]) -> None:
    assert "not understood" in str(error_from_event(event))
