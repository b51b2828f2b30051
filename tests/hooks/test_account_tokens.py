"""The token that parallel tasks share: how many are made, whom that signs out, and what happens without Variables."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import CampaignError, VendorUnavailableError
from airflow_provider_campaigns.hooks import account_tokens
from airflow_provider_campaigns.hooks.account_tokens import MaskedTokens, SharedTokens, TokenRecord, variable_name
from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
from airflow_provider_campaigns.protocol.messages import Sleep
from airflow_provider_campaigns.sandbox import ozonetel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.state import variables
from tests.connections import calls, connect, keep_tokens_in_memory
from tests.hooks.token_world import HOUR, START, Process, World
from tests.state.conftest import Stored

NAME = "campaigns_example_token"
LIFE = 55 * 60


# -- many processes in simulated time

SEEDS = range(3)
# A token is used for 54 of its 60 minutes, so three hours take four.
THREE_HOURS, TOKENS_IN_THREE_HOURS = 3 * HOUR, 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("lag", [0.05, 1.5])
def test_twenty_workers_make_one_token_whenever_one_ends(
    monkeypatch: pytest.MonkeyPatch, seed: int, lag: float
) -> None:
    world = World(monkeypatch, seed, lag)
    for _ in range(20):
        world.start(world.worker(pause=30))
    world.run(THREE_HOURS)
    assert len(world.vendor.minted) == TOKENS_IN_THREE_HOURS
    assert world.vendor.refused == []
    assert world.errors == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_database_slower_than_the_claims_delay_costs_a_token_at_most(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    world = World(monkeypatch, seed, lag=3.5)
    for _ in range(20):
        world.start(world.worker(pause=30))
    world.run(THREE_HOURS)
    assert TOKENS_IN_THREE_HOURS <= len(world.vendor.minted) <= 2 * TOKENS_IN_THREE_HOURS
    assert world.vendor.most_in_an_hour <= 10
    assert world.errors == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_processes_that_die_at_any_point_hold_nobody_up(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    world = World(monkeypatch, seed, lag=0.2)
    for _ in range(20):
        world.start(world.worker(pause=20, dies=lambda: world.chance.random() < 0.02))
    world.run(THREE_HOURS)
    assert len(world.vendor.minted) <= 2 * TOKENS_IN_THREE_HOURS
    assert world.errors == []


@pytest.mark.slow
def test_another_program_with_the_same_key_never_drives_us_over_ten_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, seed=0, lag=0.2)

    def other_program() -> Process:
        while True:
            yield 240
            world.vendor.renew()

    for _ in range(20):
        world.start(world.worker(pause=60))
    world.start(other_program())
    world.run(THREE_HOURS)
    assert world.vendor.most_in_an_hour == 10
    messages = [str(error) for error in world.errors if isinstance(error, VendorUnavailableError)]
    assert "10 tokens were made in the last hour, the vendor gives 10; the next may be made at" in messages[0]
    assert "does another program use this API key?" in messages[0]


@pytest.mark.slow
def test_a_vendor_that_makes_tokens_and_does_not_answer_is_not_asked_over_ten_times_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, seed=0, lag=0.2)
    world.vendor.loses_replies = True
    for _ in range(20):
        world.start(world.worker(pause=60))
    world.run(5 * 60)
    assert 5 <= len(world.vendor.minted) <= 8, "a short outage must leave some of the ten"
    world.run(THREE_HOURS)
    assert world.vendor.most_in_an_hour == 10
    world.vendor.loses_replies = False
    world.run(HOUR)
    world.errors.clear()
    world.run(HOUR)
    assert world.errors == []


# -- one process


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The Variables."""
    return keep_tokens_in_memory(monkeypatch)


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was hidden from the logs."""
    secrets: list[str] = []
    monkeypatch.setattr(account_tokens, "mask_secret", secrets.append)
    return secrets


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


def make(clock: Callable[[], float] = time.time) -> SharedTokens:
    return SharedTokens(NAME, claim_lifetime=45, clock=clock)


def fail(*_: Any) -> Any:
    raise OSError("no such table: variable\n[SQL: INSERT INTO variable VALUES ('s3cret')]")


class TestClaims:
    def test_a_token_is_shared(self, shared: dict[str, str], masked: list[str]) -> None:
        first, second = make(), make()
        assert first.claim("", 10) is None
        first.keep("a-token", time.time() + LIFE)
        assert second.claim("", 10) == "a-token"
        assert second.recall() == "a-token", "the next request need not look"
        assert masked == ["a-token", "a-token"], "in both processes"

    def test_a_claim_counts_after_a_pause(self, shared: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(account_tokens, "CLAIM_DELAY", 2.0)
        clock = Clock()
        first, second = make(clock), make(clock)
        pause = first.claim("", 10)
        assert isinstance(pause, Sleep)
        assert pause.seconds == 2.0
        assert isinstance(second.claim("", 10), Sleep)
        clock.now += 1.5
        again = first.claim("", 10)
        assert isinstance(again, Sleep)
        assert again.seconds == 0.5, "asked too early"
        clock.now += 0.5
        assert first.claim("", 10) is None

    def test_a_dead_process_is_waited_for_until_its_request_must_be_over(self, shared: dict[str, str]) -> None:
        clock = Clock()
        dead, alive = make(clock), make(clock)
        assert dead.claim("", 10) is None
        clock.now += 44.9
        assert alive.claim("", 10) == Sleep(account_tokens.LOOK_AGAIN, "another process is making a new token")
        clock.now += 0.2
        assert alive.claim("", 10) is None

    def test_a_process_that_took_too_long_leaves_the_claim_of_the_next(self, shared: dict[str, str]) -> None:
        clock = Clock()
        slow, fast = make(clock), make(clock)
        slow.claim("", 10)
        clock.now += 46
        fast.claim("", 10)
        slow.release(made=True)
        slow.keep("slow", clock.now + LIFE)
        record = TokenRecord.parse(shared[NAME])
        assert record.claimed_until == clock.now + 45
        fast.keep("fast", clock.now + LIFE)
        assert make(clock).claim("", 10) == "fast"

    @pytest.mark.parametrize(("age", "stale"), [(0, "old"), (LIFE - 60, ""), (LIFE + 1, "")])
    def test_a_refused_or_ending_token_is_replaced(self, shared: dict[str, str], age: float, stale: str) -> None:
        clock = Clock()
        first = make(clock)
        first.claim("", 10)
        first.keep("old", clock.now + LIFE)
        clock.now += age
        assert make(clock).claim(stale, 10) is None

    def test_a_refused_attempt_does_not_count(self, shared: dict[str, str]) -> None:
        for _ in range(12):
            one = make()
            assert one.claim("", 10) is None
            one.release(made=False)
        assert TokenRecord.parse(shared[NAME]) == TokenRecord()

    def test_an_unanswered_attempt_counts_and_puts_the_next_off(self, shared: dict[str, str]) -> None:
        clock = Clock()
        pauses = []
        for _ in range(10):
            one = make(clock)
            assert one.claim("", 10) is None
            one.release(made=True)
            pause = make(clock).claim("", 10)
            assert isinstance(pause, Sleep)
            pauses.append(pause.seconds)
            clock.now += pause.seconds
        assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
        over = make(clock).claim("", 10)
        assert isinstance(over, Sleep)
        assert clock.now + over.seconds == START + account_tokens.COUNTED, "when the first no longer counts"

    @pytest.mark.parametrize("text", ["", "no JSON", "[]", "null", '{"token": "t"}', '{"token": 1, "minted": 2}'])
    def test_a_variable_somebody_edited_is_replaced(self, shared: dict[str, str], text: str) -> None:
        shared[NAME] = text
        one = make()
        assert one.claim("", 10) is None
        one.keep("a-token", time.time() + LIFE)
        assert make().claim("", 10) == "a-token"

    def test_a_variable_that_cannot_be_decrypted_is_replaced(
        self, shared: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unreadable(name: str) -> str:
            raise variables.UnreadableVariableError(name)

        monkeypatch.setattr(variables, "read", unreadable)
        one = make()
        assert isinstance(one.claim("", 10), Sleep | None)
        one.keep("a-token", time.time() + LIFE)
        assert TokenRecord.parse(shared[NAME]).token == "a-token"

    def test_a_write_that_collides_is_repeated(self, shared: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        write, collisions = variables.write, [OSError("UNIQUE constraint failed")] * 2

        def collide(*args: str) -> None:
            if collisions:
                raise collisions.pop()
            write(*args)

        monkeypatch.setattr(variables, "write", collide)
        assert make().claim("", 10) is None
        assert TokenRecord.parse(shared[NAME]).minted != ()


class TestWithoutVariables:
    @pytest.fixture(autouse=True)
    def _no_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(variables, "read", fail)

    def test_the_token_is_kept_in_memory_and_one_warning_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        one = make()
        with caplog.at_level(logging.WARNING):
            assert one.claim("", 10) is None
            one.keep("a-token", time.time() + LIFE)
        assert one.recall() == "a-token"
        (warning,) = [record.getMessage() for record in caplog.records if record.name == account_tokens.__name__]
        assert warning == (
            f"Variable {NAME} cannot be used (OSError: no such table: variable): tasks that run at the same time end "
            f"each other's tokens"
        )

    def test_over_ten_an_hour_are_not_made_either(self) -> None:
        one = make()
        for _ in range(10):
            assert one.claim("", 10) is None
            one.release(made=True)
        assert isinstance(one.claim("", 10), Sleep)

    def test_a_refused_attempt_does_not_count(self) -> None:
        one = make()
        for _ in range(11):
            assert one.claim("", 10) is None
            one.release(made=False)

    def test_a_token_that_must_be_shared_is_not_made(self) -> None:
        one = make()
        one.must_share = True
        with pytest.raises(CampaignError, match=r"could not be looked up \(OSError: no such table: variable\)"):
            one.claim("", 10)


class TestMainThread:
    """A delivery's requests run in a second thread, and only the main one may talk to Airflow."""

    @pytest.fixture
    def inside(self, monkeypatch: pytest.MonkeyPatch, shared: dict[str, str]) -> list[str]:
        """What was done in the main thread; anything else fails."""
        done: list[str] = []
        allowed = [False]

        def guarded(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
            def guard(*args: Any) -> Any:
                assert allowed[0], f"{name} outside of the main thread"
                done.append(name)
                return work(*args)

            return guard

        def runner(work: Callable[[], Any]) -> Any:
            assert not allowed[0], "the main thread would wait for itself"
            allowed[0] = True
            try:
                return work()
            finally:
                allowed[0] = False

        monkeypatch.setattr(variables, "read", guarded("read", variables.read))
        monkeypatch.setattr(variables, "write", guarded("write", variables.write))
        monkeypatch.setattr(account_tokens, "mask_secret", guarded("mask", lambda secret: None))
        monkeypatch.setattr(MaskedTokens, "in_main_thread", staticmethod(runner))
        return done

    def test_all_talk_to_airflow_goes_through_it(self, inside: list[str]) -> None:
        one = make()
        one.claim("", 10)
        one.release(made=False)
        one.claim("", 10)
        one.keep("a-token", time.time() + LIFE)
        make().claim("", 10)
        assert set(inside) == {"read", "write", "mask"}

    def test_also_for_tokens_that_are_not_shared(self, inside: list[str]) -> None:
        MaskedTokens().keep("a-token", time.time() + LIFE)
        assert inside == ["mask"]


class TestVariable:
    def test_its_name_makes_airflow_mask_it(self) -> None:
        name = variable_name("ozonetel", "example-user", "example-key")
        assert name.startswith("campaigns_")
        assert name.endswith("_token")
        assert "example" not in name

    def test_each_account_and_key_has_its_own(self) -> None:
        names = {variable_name("ozonetel", user, key) for user in ("a", "b") for key in ("c", "d")}
        assert len(names) == 4

    def test_a_record_does_not_print_its_token(self) -> None:
        assert "s3cret" not in repr(TokenRecord("s3cret"))


# -- the hook, on every kind of Variable that this Airflow has


@pytest.fixture
def account(stored: Stored, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> SandboxClient:
    """An account in the sandbox, and an Airflow whose Variables work; a claim counts at once."""
    monkeypatch.setattr(account_tokens, "CLAIM_DELAY", 0)
    monkeypatch.setattr(account_tokens, "CLAIM_JITTER", 0)
    connect(monkeypatch, sandbox, "ozonetel")
    return sandbox


def made(account: SandboxClient) -> int:
    """Return how many tokens the account made."""
    return sum(request["call"] == "token" for request in account.received("ozonetel")["requests"])


class TestHook:
    @pytest.mark.slow
    def test_parallel_tasks_share_a_token_and_its_successor(
        self, account: SandboxClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # A fifth of what they are; other tests have no rival to wait for.
        monkeypatch.setattr(account_tokens, "CLAIM_DELAY", 0.4)
        monkeypatch.setattr(account_tokens, "CLAIM_JITTER", 0.1)
        monkeypatch.setattr(account_tokens, "LOOK_AGAIN", 0.1)
        hooks = [OzonetelHook() for _ in range(8)]

        def work(hook: OzonetelHook) -> str:
            return str(hook.campaign_status("Demo")["CampaignName"])

        with ThreadPoolExecutor(len(hooks)) as threads:
            assert list(threads.map(work, hooks)) == ["Demo"] * 8
            first = made(account)
            account.clock(advance=HOUR)
            assert list(threads.map(work, hooks)) == ["Demo"] * 8
        # One each, and one too many at most on a machine that is too busy to write within CLAIM_DELAY.
        assert 1 <= first <= 2
        assert 1 <= made(account) - first <= 2

    def test_a_trigger_uses_the_tasks_token(self, account: SandboxClient) -> None:
        async def watch() -> str:
            hook = OzonetelHook()
            async with await hook.async_transport() as transport:
                return (await transport.run(hook.dialect.poll_campaign("Demo"))).status

        OzonetelHook().campaign_status("Demo")
        assert asyncio.run(watch()) == "READY"
        assert made(account) == 1

    def test_the_test_button_uses_the_token_of_running_tasks(self, account: SandboxClient) -> None:
        running = OzonetelHook()
        running.campaign_status("Demo")
        for _ in range(3):
            assert OzonetelHook().test_connection()[0]
        assert made(account) == 1
        running.campaign_status("Demo")
        assert calls(account, "ozonetel") == ["get_status"] * 5, "the running task was not signed out"

    def test_what_the_test_button_made_serves_the_tasks(self, account: SandboxClient) -> None:
        assert OzonetelHook().test_connection()[0]
        OzonetelHook().campaign_status("Demo")
        assert made(account) == 1

    def test_the_test_button_with_a_wrong_key_neither_finds_the_token_nor_ends_it(
        self, account: SandboxClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running = OzonetelHook()
        running.campaign_status("Demo")
        connect(monkeypatch, account, "ozonetel", password="another-key")
        for _ in range(2):
            works, message = OzonetelHook().test_connection()
            assert not works
            assert "Invalid userName or apiKey" in message
        running.campaign_status("Demo")
        assert calls(account, "ozonetel") == ["get_status"] * 2

    def test_the_test_button_through_another_address_of_the_account_uses_the_token(
        self, account: SandboxClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        OzonetelHook().campaign_status("Demo")
        connect(monkeypatch, account, "ozonetel", host=f"{account.url}/ozonetel/".replace("127.0.0.1", "localhost"))
        assert OzonetelHook().test_connection()[0]
        assert made(account) == 1


def test_the_test_button_makes_no_token_that_cannot_be_shared(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox, "ozonetel")
    monkeypatch.setattr(variables, "read", fail)
    works, message = OzonetelHook().test_connection()
    assert not works
    assert "a new one would end theirs, so the vendor was not asked" in message
    assert sandbox.received("ozonetel")["requests"] == []


def test_nothing_shared_is_touched_in_basic_mode(sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.control("ozonetel", auth_mode="BASIC_AUTH")
    connect(monkeypatch, sandbox, "ozonetel", extra={"auth_mode": "basic"})
    monkeypatch.setattr(variables, "read", fail)
    assert OzonetelHook().test_connection()[0]
    assert ozonetel.API_KEY not in OzonetelHook().tokens._name
