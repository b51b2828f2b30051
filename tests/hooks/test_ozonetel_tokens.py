"""The token that OzonetelHook shares, on every kind of Variable that this Airflow has."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_campaigns.hooks import account_tokens
from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
from airflow_provider_campaigns.sandbox import ozonetel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.state import variables
from tests.connections import calls, connect
from tests.hooks.token_world import HOUR, fail
from tests.state.conftest import Stored


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
