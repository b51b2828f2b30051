"""What becomes of contacts when the vendor refuses a call or answers nonsense; see also test_crashes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.plan.sources.rows import rows_of
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.delivery.run.senders import ThreadedSenders
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    DeliveryError,
    InputError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.messages import NotSentError, Response
from airflow_provider_campaigns.protocol.send import Contact
from tests.delivery.run.test_senders import Transport
from tests.delivery.tries import answers, ends, fail_try, refuse, statuses
from tests.delivery.world import AcmeSend, Crash, Plan, World, new_try, phones, run_try


def test_each_row_ends_as_what_became_of_it(kept: Path | None) -> None:
    world = World(answer=lambda number, keys: statuses("accepted", "duplicate", "rejected"))
    rows = ["+447700900000", "no number", "+447700900001", "447700900000", "+447700900009", "+447700900002"]

    receipt, outcomes = run_try(world, Plan(rows, kept, exclude=["+447700900009"]))

    assert [(line["key"], line["status"], line["reason"]) for line in outcomes] == [
        ("+447700900000", "accepted", None),
        ("no number", "invalid", "phone: expected digits, got no number"),
        ("+447700900001", "duplicate", None),
        ("447700900000", "duplicate", "the contacts have it more than once"),
        ("+447700900009", "invalid", "in exclude"),
        ("+447700900002", "rejected", "refused"),
    ]
    assert receipt == Receipt(
        vendor="acme",
        campaign="spring",
        contacts=6,
        accepted=1,
        duplicate=2,
        rejected=1,
        invalid=2,
        capped=0,
        unsent=0,
        unknown=0,
        requests=1,
        normalised=0,
        outcomes_path=str(kept) if kept else None,
    )


@pytest.mark.parametrize(("batch_size", "requests"), [(1, 7), (3, 3), (500, 1)])
def test_contacts_go_out_in_order_in_batches(kept: Path | None, batch_size: int, requests: int) -> None:
    world = World()

    receipt, _ = run_try(world, Plan(phones(7), kept, batch_size=batch_size))

    assert sorted(world.contacted) == phones(7)
    assert all(keys == sorted(keys) and len(keys) <= batch_size for keys in world.requests)
    assert (len(world.requests), receipt["requests"]) == (requests, requests)


# -- the call is refused, or never arrives


@pytest.mark.parametrize(
    ("answer", "kind", "arrived"),
    [
        pytest.param(refuse(402, "no credit"), CallRefusedError, 1, id="payment"),
        pytest.param(refuse(404, "no such campaign"), CallRefusedError, 1, id="campaign"),
        pytest.param(NotSentError("refused"), VendorUnavailableError, 0, id="no connection"),
    ],
)
def test_a_refused_call_leaves_the_rest_unsent_and_a_retry_sends_it(
    kept: Path | None, answer: Response | Exception, kind: type[Exception], arrived: int
) -> None:
    world = World()
    world.answer = answers(world, r2=answer)
    rows = [*phones(5), "no number", *phones(3, first=5)]
    plan = Plan(rows, kept, batch_size=3, max_concurrency=1)

    _, receipt, outcomes = fail_try(world, plan, kind)

    assert ends(outcomes) == ["accepted"] * 3 + ["unsent"] * 2 + ["invalid"] + ["unsent"] * 3
    assert receipt["unsent"] == 5
    assert receipt["requests"] == 1 + arrived, "the one that was refused, too"

    receipt, outcomes = run_try(world, plan, 2)

    assert ends(outcomes) == ["accepted"] * 5 + ["invalid"] + ["accepted"] * 3
    assert sorted(world.contacted) == phones(8)
    assert receipt["requests"] == 3 + arrived


@pytest.mark.parametrize(
    "then",
    [
        pytest.param([*phones(3, first=3), *phones(3), *phones(3, first=6)], id="another order"),
        pytest.param([*phones(2, first=20), *phones(9)], id="some added in front"),
        pytest.param([*phones(2), *phones(6, first=3)], id="one gone"),
    ],
)
@pytest.mark.parametrize("remote", [False, True])
def test_contacts_that_are_replaced_after_they_were_checked_are_not_sent_to(
    tmp_path: Path, then: list[str], remote: bool
) -> None:
    """A file may be written again at any moment, and a retry reads it twice."""
    world = World()
    world.answer = answers(world, r2=refuse(402))
    plan = Plan(phones(9), tmp_path, remote=remote, max_concurrency=1)
    fail_try(world, plan, CallRefusedError)
    world.answer = None
    world.start_process()
    delivery = new_try(world, plan)
    files = chain([plan.contacts], repeat(plan.changed(rows=then).contacts))
    delivery.source = replace(delivery.source, read=lambda: rows_of(next(files)), count=None)

    with pytest.raises(InputError, match="expected the same contacts whenever they are read, got others in the first"):
        delivery.deliver(plan.header)

    assert world.contacted == phones(3)
    assert run_try(world, plan)[0]["accepted"] == 9
    assert world.most_often == 1


def test_the_unsent_of_an_earlier_try_are_not_reported_while_a_later_one_may_send_them(tmp_path: Path) -> None:
    world = World()
    world.answer = answers(world, r1=refuse(402))
    fail_try(world, Plan(phones(3), tmp_path), CallRefusedError)
    world.start_process()
    seen: list[list[Outcome]] = []
    delivery = new_try(world, Plan(phones(3), tmp_path))

    def accept(_: int, keys: list[str]) -> Response:
        seen.append(list(delivery.outcomes.read()))
        return world.accept(keys)

    world.answer = accept
    delivery.deliver(Plan([]).header)

    assert seen == [[]]


def test_what_was_only_released_binds_no_later_try(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r1=refuse(404, "no such campaign"))
    fail_try(world, Plan(phones(3), kept, header={"campaign": "sprnig"}), CallRefusedError)

    receipt, _ = run_try(world, Plan(phones(4), kept, header={"campaign": "spring"}), 2)

    assert receipt["accepted"] == 4


def test_a_request_that_cannot_even_be_made_was_not_sent(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r2=InputError("request body", "values that JSON knows", "NaN"))
    plan = Plan(phones(3), kept, batch_size=1, max_concurrency=1)

    _, _, outcomes = fail_try(world, plan, InputError)

    assert ends(outcomes) == ["accepted", "unsent", "unsent"]
    assert run_try(world, plan, 2)[0]["accepted"] == 3


def test_what_fails_before_there_is_a_request_was_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even by an error that nobody thought of."""
    world = World()
    world.start_process()
    plan = Plan(phones(3), tmp_path, batch_size=1, max_concurrency=1)
    delivery = new_try(world, plan)
    transport = Transport()
    transport.gate.set()

    class Careless(AcmeSend):
        def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Any:
            if transport.sent:
                raise TypeError("oops")
            return super().request(contacts, resent=resent)

    delivery.senders = ThreadedSenders(Careless(), transport.make, 1)
    with pytest.raises(TypeError, match="oops"):
        delivery.deliver(plan.header)

    assert [delivery.report_unsent()[name] for name in ("accepted", "unsent", "unknown")] == [1, 2, 0]
    assert run_try(world, plan, 2)[0]["accepted"] == 3


def test_a_resend_after_a_crash_that_is_refused_may_still_have_been_sent_before(kept: Path | None) -> None:
    world = World(checks_duplicates=True)
    plan = Plan(phones(3), kept, safe=True)
    world.answer = world.accept_and_die
    with pytest.raises(Crash):
        run_try(world, plan)
    world.answer = answers(world, r2=refuse(402))

    _, _, outcomes = fail_try(world, plan, CallRefusedError, 2)

    assert ends(outcomes) == ["unknown"] * 3
    receipt, _ = run_try(world, plan, 3)
    assert receipt["accepted"] == 3
    assert world.contacted == phones(3)


# -- one request is refused, or the reply is nonsense


def test_a_request_refused_for_what_it_holds_rejects_its_contacts(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r1=refuse(422, "bad phone +447700900001"))

    receipt, outcomes = run_try(world, Plan(phones(4), kept, batch_size=3))

    assert ends(outcomes) == ["rejected"] * 3 + ["accepted"]
    assert (outcomes[0]["reason"], outcomes[0]["message"]) == ("the vendor refused the request", "bad phone +44***01")
    assert receipt["requests"] == 2


@pytest.mark.parametrize("words", [["accepted"], ["accepted"] * 3, []])
def test_a_reply_of_the_wrong_length_is_unknown(kept: Path | None, words: list[str]) -> None:
    world = World()
    world.answer = answers(world, r1=statuses(*words))

    _, outcomes = run_try(world, Plan(phones(4), kept, batch_size=2))

    assert ends(outcomes) == ["unknown"] * 2 + ["accepted"] * 2
    assert outcomes[0]["reason"] == "the reply was not understood"


def test_an_unforeseen_error_after_the_request_is_unknown(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r2=RuntimeError("+447700900001 is odd"))
    plan = Plan(phones(3), kept, batch_size=1, max_concurrency=1)

    _, _, outcomes = fail_try(world, plan, RuntimeError)

    assert ends(outcomes) == ["accepted", "unknown", "unsent"]
    assert outcomes[1]["reason"] == "interrupted by RuntimeError"

    receipt, outcomes = run_try(world, plan, 2)

    assert ends(outcomes) == ["accepted", "unknown", "accepted"]
    assert receipt["requests"] == 3


# -- nobody to send to


def test_contacts_of_which_not_one_can_be_sent_fail_before_anything_is_sent(kept: Path | None) -> None:
    world = World()
    plan = Plan(["no number", "+447700900009", "none either"], kept, exclude=["+447700900009"])

    error, receipt, outcomes = fail_try(world, plan, DeliveryError)

    assert error.final
    assert "phone: expected digits, got no number" in str(error)
    assert ends(outcomes) == ["invalid"] * 3
    assert (receipt["invalid"], receipt["requests"]) == (3, 0)
    # Corrected, they can be sent without more ado.
    assert run_try(world, plan.changed(rows=phones(3)), 2)[0]["accepted"] == 3


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(Plan(phones(3), exclude=phones(3)), id="exclude"),
        pytest.param(Plan(phones(3), only_recipients=["+999*"]), id="only_recipients"),
    ],
)
def test_contacts_that_are_all_left_out_on_purpose_are_a_success(kept: Path | None, plan: Plan) -> None:
    receipt, outcomes = run_try(World(), plan.changed(folder=kept))

    assert ends(outcomes) == ["invalid"] * 3
    assert Limits().failure(receipt) is None


def test_contacts_behind_thousands_that_are_left_out_are_sent(tmp_path: Path) -> None:
    rows = [*phones(12_000), "+15550100"]

    receipt, _ = run_try(World(), Plan(rows, folder=tmp_path, only_recipients=["+1*"]))

    assert (receipt["contacts"], receipt["invalid"], receipt["accepted"]) == (12_001, 12_000, 1)


# -- the folder


def test_outcomes_that_cannot_be_written_are_reported_before_the_first_request(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    world = World()
    world.start_process()
    delivery = new_try(world, Plan(phones(3), tmp_path / "file"))

    with pytest.raises(InputError, match="outcomes_path: expected a folder"):
        delivery.deliver(Plan([]).header)

    assert not delivery.begun
    assert world.requests == []


@pytest.mark.parametrize("what", ["ledger", "outcomes"])
@pytest.mark.parametrize("write", range(2, 7))
def test_requests_of_a_try_in_which_one_write_failed_are_counted(tmp_path: Path, what: str, write: int) -> None:
    world = World()
    world.start_process()
    plan = Plan(phones(12), tmp_path, batch_size=1)
    delivery = new_try(world, plan)
    place: Any = world if what == "ledger" else delivery.outcomes
    name = "set" if what == "ledger" else "write"
    writes = count(1)

    def failing(*args: Any, **how: Any) -> None:
        if next(writes) == write:
            raise OSError("database is locked")
        getattr(type(place), name)(place, *args, **how)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(place, name, failing)
        with suppress(OSError):
            delivery.deliver(plan.header)
    assert next(writes) > write

    receipt, _ = run_try(world, plan.changed(on_unknown="skip"), 2)

    assert receipt["requests"] == len(world.requests)
    assert world.most_often == 1


@pytest.mark.parametrize("remote", [False, True])
def test_a_list_of_unsent_contacts_that_cannot_be_removed_does_no_harm_to_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote: bool
) -> None:
    """It fails right after a write of the ledger, such as where nothing may be deleted: that write counts once."""
    world = World()
    plan = Plan(phones(15), tmp_path, remote=remote, max_concurrency=1, on_unknown="skip")
    world.answer = lambda number, keys: world.accept_and_die(number, keys) if number == 2 else world.accept(keys)
    with suppress(Crash):
        run_try(world, plan)
    world.answer = None

    def fail(self: OutcomeFolder) -> None:
        raise PermissionError("nothing may be deleted here")

    with monkeypatch.context() as patched:
        patched.setattr(OutcomeFolder, "forget_earlier", fail)
        _, receipt, _ = fail_try(world, plan, PermissionError)
    assert (receipt["contacts"], receipt["accepted"], receipt["unknown"], receipt["unsent"]) == (15, 3, 6, 6)

    receipt, lines = run_try(world, plan)

    assert (receipt["contacts"], receipt["accepted"], receipt["unknown"]) == (15, 9, 6)
    assert [line["row"] for line in lines] == list(range(1, 16))
    assert receipt["requests"] == len(world.requests) - 1, "but for the one in which the process was killed"
    assert world.most_often == 1


def test_requests_in_flight_when_a_write_fails_get_the_time_they_need(tmp_path: Path) -> None:
    """Nobody is in a hurry to end the task."""
    world = World()
    world.start_process()
    plan = Plan(phones(9), tmp_path, batch_size=1)
    delivery = new_try(world, plan)
    delivery.clock = map(float, count()).__next__
    collect, store = delivery.senders.collect, world.set

    def failing(key: str, value: Any) -> None:
        if world.requests:
            raise OSError("database is locked")
        store(key, value)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delivery.senders, "abandon", lambda: pytest.fail("requests were given up"))
        patched.setattr(
            delivery.senders, "collect", lambda timeout, least=1: [] if timeout else collect(timeout, least)
        )
        patched.setattr(world, "set", failing)
        with pytest.raises(OSError, match="database is locked"):
            delivery.deliver(plan.header)

    assert world.contacted


def test_a_disk_that_fills_up_after_a_request_leaves_it_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    plan = Plan(phones(3), tmp_path, batch_size=1, max_concurrency=1)
    world.start_process()
    delivery = new_try(world, plan)
    write = delivery.outcomes.write

    def full(*part: Any, **how: Any) -> None:
        if len(world.requests) == 2:
            raise OSError("No space left on device")
        write(*part, **how)

    monkeypatch.setattr(delivery.outcomes, "write", full)
    with pytest.raises(OSError, match="No space left"):
        delivery.deliver(plan.header)

    receipt = delivery.report_unsent()

    assert ends(list(delivery.outcomes.read())) == ["accepted", "unknown", "unsent"]
    assert (receipt["contacts"], receipt["accepted"], receipt["unknown"], receipt["unsent"]) == (3, 1, 1, 1)
    # And so says the ledger to a later try.
    assert ends(run_try(world, plan, 2)[1]) == ["accepted", "unknown", "accepted"]
