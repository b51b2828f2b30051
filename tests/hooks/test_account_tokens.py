"""The token that parallel tasks share, in one process: claims, and what happens without Variables."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import CampaignError
from airflow_provider_campaigns.hooks import account_tokens
from airflow_provider_campaigns.hooks.account_tokens import MaskedTokens, SharedTokens, TokenRecord, variable_name
from airflow_provider_campaigns.protocol.messages import Sleep
from airflow_provider_campaigns.state import variables
from tests.connections import keep_tokens_in_memory
from tests.hooks.token_world import START, fail

NAME = "campaigns_example_token"
LIFE = 55 * 60


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
