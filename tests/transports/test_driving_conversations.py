"""How a transport drives a conversation: its steps, its end, and many at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.protocol.messages import (
    Claim,
    Keep,
    NoReplyError,
    NotSentError,
    Page,
    Recall,
    Release,
    Request,
    SignIn,
    Sleep,
)
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.transports.asynchronous import AsyncTransport
from airflow_provider_campaigns.transports.blocking import BlockingTransport
from airflow_provider_campaigns.transports.settings import TransportSettings
from airflow_provider_campaigns.transports.tokens import InMemoryTokens
from tests.transports.conftest import AcmeDialect, Driver
from tests.transports.faulty_server import FaultyServer, checks_token, drop, hang, reply, slowly

NOWHERE = TransportSettings("http://127.0.0.1:9")
THINGS = Request("GET", "/things", "read")
ADDITION = Request("POST", "/things", "write", json={"n": 1})


def test_the_result_of_the_conversation_is_returned(driver: Driver, acme: AcmeDialect) -> None:
    def conversation() -> Generator[Any, Any, Any]:
        yield Sleep(7, "a reason")
        return "the result"

    assert driver.run(NOWHERE, acme, conversation()) == "the result"
    assert driver.sleeps == [7]


def test_a_conversation_without_steps_is_run(driver: Driver, acme: AcmeDialect) -> None:
    def conversation() -> Generator[Any, Any, Any]:
        return "at once"
        yield

    assert driver.run(NOWHERE, acme, conversation()) == "at once"


def test_what_the_conversation_raises_passes_unchanged(driver: Driver, acme: AcmeDialect) -> None:
    problem = LookupError("mine")

    def conversation() -> Generator[Any, Any, Any]:
        yield Sleep(0, "first")
        raise problem

    with pytest.raises(LookupError) as caught:
        driver.run(NOWHERE, acme, conversation())
    assert caught.value is problem


def test_the_conversation_may_go_on_after_a_failure(driver: Driver, acme: AcmeDialect) -> None:
    def conversation() -> Generator[Any, Any, Any]:
        try:
            yield THINGS
        except NotSentError as error:
            yield Sleep(3, "it failed")
            return str(error)

    assert driver.run(NOWHERE, acme, conversation()).startswith("ConnectionRefusedError: ")
    assert driver.sleeps == [3]


def test_a_reply_comes_whole(driver: Driver, acme: AcmeDialect) -> None:
    def conversation() -> Generator[Any, Any, Any]:
        return (yield THINGS)

    with FaultyServer(reply('{"a": 1}', 207, X_Request_Id="abc")) as server:
        response = driver.run(TransportSettings(server.url), acme, conversation())
    assert response.status == 207
    assert response.json() == {"a": 1}
    assert response.headers["x-request-id"] == "abc"


@pytest.mark.slow
def test_a_failure_is_reported_in_words_that_hold_no_request(driver: Driver, acme: AcmeDialect) -> None:
    def conversation() -> Generator[Any, Any, Any]:
        try:
            yield Request("POST", "/things?email=jo@example.com", "write", json={"key": "s3cret"})
        except NoReplyError as error:
            return str(error)

    with FaultyServer(drop, hang) as server:
        settings = TransportSettings(server.url, timeout=0.3)
        assert driver.run(settings, acme, conversation()) in {"RemoteDisconnected", "ServerDisconnectedError"}
        assert driver.run(settings, acme, conversation()) == "nothing within 0.3 s"


def test_a_failure_is_not_explained_by_what_was_handled_before(driver: Driver, acme: AcmeDialect) -> None:
    with FaultyServer(drop) as server:
        try:
            int("s3cret")
        except ValueError:
            with pytest.raises(NoReplyError, match="Disconnected"):
                driver.run(TransportSettings(server.url), acme, (request for request in [THINGS]))


def test_the_token_is_asked_for_and_kept(driver: Driver, acme: AcmeDialect) -> None:
    def conversation() -> Generator[Any, Any, Any]:
        remembered = yield Recall()
        yield Keep("token-7", time.time() + 3600)
        token = yield SignIn()
        renewed = yield SignIn(stale="token-7")
        return [remembered, token, renewed, (yield Recall())]

    with FaultyServer() as server:
        answers = driver.run(TransportSettings(server.url), acme, conversation())
    assert answers == ["token-0", "token-7", "token-1", "token-1"]


def test_what_is_no_step_is_refused(driver: Driver, acme: AcmeDialect) -> None:
    with pytest.raises(TypeError, match=r"not a step of a conversation.*: str"):
        driver.run(NOWHERE, acme, (step for step in ["GET /things"]))


def test_a_body_that_is_no_json_is_refused_before_anything_is_sent(driver: Driver, acme: AcmeDialect) -> None:
    with FaultyServer() as server:
        with pytest.raises(InputError, match="request body: expected values that JSON knows"):
            driver.run(
                TransportSettings(server.url), acme, exchange(acme, Request("POST", "/", "write", json={1: {2}}))
            )
        assert server.connections == 0


def test_pages_come_through_stream_only(driver: Driver, acme: AcmeDialect) -> None:
    with pytest.raises(TypeError):
        driver.run(NOWHERE, acme, (step for step in [Page([1, 2])]))


def pages(closed: list[bool] | None = None) -> Generator[Any, Any, Any]:
    try:
        for number in range(3):
            yield Request("GET", f"/page/{number}", "read")
            yield Page([f"{number}a", f"{number}b"])
    finally:
        if closed is not None:
            closed.append(True)


def test_a_stream_fetches_a_page_when_its_items_are_asked_for(acme: AcmeDialect) -> None:
    with FaultyServer() as server, BlockingTransport(acme, TransportSettings(server.url)) as transport:
        items = transport.stream(pages())
        assert server.received == []
        assert [next(items), next(items)] == ["0a", "0b"]
        assert len(server.received) == 1
        assert list(items) == ["1a", "1b", "2a", "2b"]
        assert len(server.received) == 3


def test_a_stream_that_is_left_closes_its_conversation(acme: AcmeDialect) -> None:
    closed: list[bool] = []
    with FaultyServer() as server, BlockingTransport(acme, TransportSettings(server.url)) as transport:
        conversation = pages(closed)
        items = transport.stream(conversation)
        next(items)
        assert closed == []
        assert isinstance(items, Generator)
        items.close()
        assert closed == [True]


def test_an_interrupted_run_closes_its_conversation(acme: AcmeDialect) -> None:
    closed = []

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    def conversation() -> Generator[Any, Any, Any]:
        try:
            yield Sleep(1, "long")
        finally:
            closed.append(True)

    running = conversation()
    with pytest.raises(KeyboardInterrupt):
        BlockingTransport(acme, NOWHERE, sleep=interrupt).run(running)
    assert closed == [True]


def test_a_closed_blocking_transport_opens_again(acme: AcmeDialect) -> None:
    transport = BlockingTransport(acme, NOWHERE)
    transport.close()
    with FaultyServer() as server:
        transport = BlockingTransport(acme, TransportSettings(server.url))
        for _ in range(2):
            assert transport.run(exchange(acme, THINGS)).ok
            transport.close()
        assert server.times("/things") == 2


def test_an_async_transport_works_only_while_open(acme: AcmeDialect) -> None:
    transport = AsyncTransport(acme, NOWHERE)
    with pytest.raises(TypeError, match="async with"):
        asyncio.run(transport.run(exchange(acme, THINGS)))


def test_fifty_conversations_that_meet_an_ended_token_sign_in_once(acme: AcmeDialect) -> None:
    async def main(settings: TransportSettings) -> Any:
        tokens = InMemoryTokens()
        tokens.keep("ended", time.time() + 3600)
        async with AsyncTransport(acme, settings, tokens) as transport:
            return await asyncio.gather(*(transport.run(exchange(acme, ADDITION)) for _ in range(50)))

    with FaultyServer(afterwards=checks_token) as server:
        responses = asyncio.run(main(TransportSettings(server.url)))
        assert server.sign_ins == 1
        assert 50 < server.times("/things") <= 100
    assert [response.status for response in responses] == [200] * 50


def test_threads_that_meet_an_ended_token_sign_in_once(acme: AcmeDialect) -> None:
    tokens = InMemoryTokens()
    tokens.keep("ended", time.time() + 3600)
    with (
        FaultyServer(afterwards=checks_token) as server,
        BlockingTransport(acme, TransportSettings(server.url), tokens) as transport,
        ThreadPoolExecutor(8) as threads,
    ):
        responses = list(threads.map(lambda _: transport.run(exchange(acme, ADDITION)), range(24)))
        assert server.sign_ins == 1
    assert [response.status for response in responses] == [200] * 24


class SharedTokens(InMemoryTokens):
    """Writes down what it is asked for, and in which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, threading.Thread]] = []

    def recall(self) -> Any:
        self.asked.append(("recall", threading.current_thread()))
        return super().recall()

    def claim(self, stale: str, per_hour: int) -> Any:
        self.asked.append((f"claim {stale} {per_hour}", threading.current_thread()))
        return Sleep(3, "somebody makes one")

    def keep(self, token: str, expires_at: float) -> None:
        self.asked.append((f"keep {token}", threading.current_thread()))
        super().keep(token, expires_at)

    def release(self, *, made: bool) -> None:
        self.asked.append((f"release {made}", threading.current_thread()))


def test_a_shared_token_is_claimed_kept_and_released(driver: Driver, acme: AcmeDialect) -> None:
    def conversation() -> Generator[Any, Any, Any]:
        return [(yield Claim("old", 10)), (yield Release(made=True)), (yield Keep("new", 2e9)), (yield Recall())]

    driver.tokens = SharedTokens()
    assert driver.run(NOWHERE, acme, conversation()) == [Sleep(3, "somebody makes one"), None, None, "new"]
    assert [asked for asked, _ in driver.tokens.asked] == ["claim old 10", "release True", "keep new", "recall"]


def test_who_keeps_the_token_to_himself_may_always_make_one() -> None:
    tokens = InMemoryTokens()
    tokens.keep("old", time.time() + 3600)
    assert tokens.claim("old", 10) is None
    tokens.release(made=True)
    assert tokens.recall() == "old"


def test_tokens_that_may_block_are_asked_outside_the_event_loop(acme: AcmeDialect) -> None:
    def conversation() -> Generator[Any, Any, Any]:
        yield Claim("", 10)
        yield Keep("new", 2e9)
        yield Release(made=False)
        yield Recall()

    async def main() -> None:
        async with AsyncTransport(acme, NOWHERE, tokens) as transport:
            await transport.run(conversation())

    tokens = SharedTokens()
    asyncio.run(main())
    *blocking, recalling = [thread for _, thread in tokens.asked]
    assert len(blocking) == 3
    assert threading.main_thread() not in blocking
    assert recalling is threading.main_thread(), "every request asks for it: that must be quick"


def test_tokens_may_ask_what_belongs_to_the_event_loop(acme: AcmeDialect) -> None:
    class TriggererTokens(InMemoryTokens):
        """Asks as the triggerer of Airflow 3.0 and 3.1 does: with what only its own loop can wait for."""

        def claim(self, stale: str, per_hour: int) -> Any:
            return async_to_sync(self.wait)()

        async def wait(self) -> Any:
            return await answer

    def conversation() -> Generator[Any, Any, Any]:
        return (yield Claim("", 10))

    answer: asyncio.Future[str]

    async def main() -> Any:
        nonlocal answer
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        loop.call_later(0.01, answer.set_result, "shared")
        async with AsyncTransport(acme, NOWHERE, TriggererTokens()) as transport:
            return await transport.run(conversation())

    assert asyncio.run(main()) == "shared"


@pytest.mark.slow
def test_the_time_out_does_not_run_while_a_request_waits_for_its_turn(acme: AcmeDialect) -> None:
    async def main(settings: TransportSettings) -> Any:
        async with AsyncTransport(acme, settings, connections=1) as transport:
            return await asyncio.gather(*(transport.run(exchange(acme, THINGS)) for _ in range(5)))

    with FaultyServer(afterwards=slowly) as server:
        responses = asyncio.run(main(TransportSettings(server.url, timeout=0.4)))
        assert server.connections == 1
    assert len(responses) == 5


def test_a_cancelled_conversation_ends_and_hinders_no_other(acme: AcmeDialect) -> None:
    """The one place among ``connections``, and the sign-in lock, are free again."""
    closed = []

    def conversation() -> Generator[Any, Any, Any]:
        try:
            yield SignIn()
            yield ADDITION
        finally:
            closed.append(True)

    async def main(server: Any) -> Any:
        async with AsyncTransport(acme, TransportSettings(server.url), connections=1) as transport:
            running = asyncio.create_task(transport.run(conversation()))
            assert await asyncio.to_thread(server.arrived.wait, 5)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert closed == [True]
            return await transport.run(conversation_after())

    def conversation_after() -> Generator[Any, Any, Any]:
        yield SignIn(stale="token-1")
        return (yield THINGS)

    with FaultyServer(hang) as server:
        assert asyncio.run(main(server), debug=True).ok
        assert server.times("/things") == 2


def test_a_cancelled_sign_in_frees_its_lock(acme: AcmeDialect) -> None:
    async def main(server: Any) -> Any:
        async with AsyncTransport(acme, TransportSettings(server.url)) as transport:

            async def forever(_: float) -> None:
                await asyncio.Event().wait()

            transport._sleep = forever
            stuck = asyncio.create_task(transport.run(wait()))
            await asyncio.sleep(0)
            stuck.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stuck
            return await asyncio.wait_for(transport.run(sign_in()), 5)

    def wait() -> Generator[Any, Any, Any]:
        yield Sleep(60, "for ever")

    def sign_in() -> Generator[Any, Any, Any]:
        return (yield SignIn())

    with FaultyServer() as server:
        assert asyncio.run(main(server)) == "token-1"
