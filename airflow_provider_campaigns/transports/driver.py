"""Drives a conversation: performs its steps one after the other; what both transports do alike."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Generator
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import replace
from types import coroutine
from typing import Any

from airflow_provider_campaigns.exceptions import VendorError
from airflow_provider_campaigns.masking import Redactor
from airflow_provider_campaigns.protocol.dialect import Dialect
from airflow_provider_campaigns.protocol.messages import (
    Claim,
    Conversation,
    Keep,
    NoReplyError,
    NotSentError,
    OversizedReplyError,
    Page,
    Recall,
    Release,
    Request,
    Response,
    SignIn,
    Sleep,
    Step,
    T,
)
from airflow_provider_campaigns.protocol.redaction import bounded, redacted
from airflow_provider_campaigns.transports.body import TooLargeError
from airflow_provider_campaigns.transports.log_filter import install_log_filter
from airflow_provider_campaigns.transports.settings import TransportSettings
from airflow_provider_campaigns.transports.tokens import InMemoryTokens, TokenMemory
from airflow_provider_campaigns.transports.wire import (
    WaitLog,
    WireRequest,
    log_reply,
    short_reason,
    wire_request,
)

TokenStep = Recall | Claim | Keep | Release


class Driver(ABC):
    """
    Base of the transports.

    The blocking one's coroutines never wait for an event loop: each of their steps is done when it returns. So one
    driver serves both; the blocking transport runs its coroutine like a generator, which stops only at pages.

    :param dialect: how the vendor signs requests and gives out tokens.
    :param settings: where the vendor is.
    :param tokens: where its access token is kept.
    """

    def __init__(self, dialect: Dialect, settings: TransportSettings, tokens: TokenMemory | None = None) -> None:
        self._dialect = dialect
        self._settings = settings
        self._tokens = tokens or InMemoryTokens()
        self._waits = WaitLog()
        install_log_filter()

    @abstractmethod
    async def _exchange(self, wire: WireRequest) -> Response:
        """Send a request and return the reply; within ``settings.timeout`` from connecting to the last byte."""

    @abstractmethod
    def _never_connected(self, error: Exception) -> bool:
        """Whether the ``_exchange`` that ended with ``error`` got no connection: the request was not sent."""

    @abstractmethod
    def _wait(self, seconds: float) -> Awaitable[None]:
        """Sleep."""

    @abstractmethod
    def _alone(self) -> AbstractAsyncContextManager[Any]:
        """Let one sign-in run at a time."""

    @abstractmethod
    def _slot(self) -> AbstractAsyncContextManager[Any]:
        """Let as many requests run at a time as there are connections."""

    @abstractmethod
    async def _ask_tokens(self, step: TokenStep) -> str | Sleep | None:
        """Do what a step asks of the token memory, and return what it is answered with."""

    async def _drive(self, conversation: Conversation[T]) -> T:
        """
        Drive ``conversation`` to its end and return its result.

        It returns no credential: not in its result, not in its pages, not in an error.
        """
        view = _ReplyView(self._dialect, self._settings)
        try:
            return view.result(await self._run_steps(conversation, view))
        except VendorError as error:
            view.redact_error(error)
            raise

    async def _run_steps(self, conversation: Conversation[T], view: _ReplyView) -> T:
        with closing(conversation):
            try:
                step = next(conversation)
                while True:
                    try:
                        answer = await self._perform(step, view)
                    except Exception as failure:  # noqa: BLE001 - whatever it is, the conversation decides
                        step = conversation.throw(failure)
                    else:
                        step = conversation.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result

    async def _perform(self, step: Step, view: _ReplyView) -> Any:
        match step:
            case Request():
                return view.reply(step, await self._send(step))
            case Sleep():
                self._waits.note(step)
                return await self._wait(step.seconds)
            case SignIn(stale):
                async with self._alone():
                    return await self._run_steps(self._dialect.sign_in(stale), view)
            case Recall() | Claim() | Keep() | Release():
                return await self._ask_tokens(step)
            case Page(items):
                return await self._hand_over(Page(view.result(items)))
            case _:
                raise TypeError(f"not a step of a conversation: {type(step).__name__}")

    async def _hand_over(self, page: Page) -> None:
        """Give a page to the reader of a stream."""
        raise TypeError("this conversation yields pages: only BlockingTransport.stream() hands them over")

    async def _send(self, request: Request) -> Response:
        outer = sys.exception()
        wire = wire_request(request, self._settings)
        async with self._slot():
            started = time.monotonic()
            try:
                response = await self._exchange(wire)
            except Exception as error:  # noqa: BLE001 - the libraries' errors hold the address, headers and body
                failure = self._failure(error, outer)
            else:
                log_reply(request, response.status, started)
                return response
        log_reply(request, str(failure), started)
        # Raised here, outside "except", so that no traceback shows the library's error.
        raise failure

    def _failure(self, error: Exception, outer: BaseException | None) -> Exception:
        reason = short_reason(error, self._settings.timeout, outer)
        if isinstance(error, TooLargeError):
            return OversizedReplyError(reason)
        kind = NotSentError if self._never_connected(error) else NoReplyError
        return kind(Redactor(self._settings.secrets)(reason))


class _ReplyView:
    """What a conversation may show of the replies to its requests: everything but credentials."""

    def __init__(self, dialect: Dialect, settings: TransportSettings) -> None:
        self._dialect = dialect
        self._proxys = self._known = settings.secrets
        self._redactor = dialect.redactor(self._known)
        self._suspicious = False

    def reply(self, request: Request, response: Response) -> Response:
        """Take note of a reply, and of the credentials that its request held beside the account's."""
        if new := [secret for secret in request.secrets if secret not in self._known]:
            self._known += tuple(new)
            self._redactor = self._dialect.redactor(self._known)
        self._suspicious = self._suspicious or self._redactor.may_be_in(response.body)
        return replace(response, secrets=self._proxys) if self._proxys else response

    def result(self, result: T) -> T:
        """Return ``result`` without credentials, and without texts that are too long to be stored."""
        return bounded(redacted(result, self._redactor) if self._suspicious else result)

    def redact_error(self, error: BaseException | None) -> None:
        """Hide the credentials in an error, and in those that it came from."""
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            if isinstance(error, VendorError):
                error.redact(self._redactor)
            error = error.__cause__ or error.__context__


@coroutine
def hand_over(page: Page) -> Generator[Page, None, None]:
    """Stop the coroutine that awaits this, with ``page`` as what it yields."""
    yield page
