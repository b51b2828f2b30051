"""Trigger that polls a campaign; it only reads, and its arguments hold no secrets and no recipients."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.module_loading import import_string
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_campaigns.exceptions import CallRefusedError, CampaignError, InputError
from airflow_provider_campaigns.protocol.polling import (
    MAX_POLL_FAILURES,
    Poller,
    PollResult,
    WaitResult,
    error_to_event,
)

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.base import CampaignHook
    from airflow_provider_campaigns.transports.asynchronous import AsyncTransport

KWARGS = (
    "hook",
    "conn_id",
    "poll_method",
    "arguments",
    "poll_interval",
    "deadline",
    "first_poll_at",
    "max_poll_failures",
    "failures",
    "unknown",
)


class CampaignStatusTrigger(BaseTrigger):
    """
    Polls one campaign until it is over.

    All times are absolute, so that a triggerer that restarts continues the same wait.

    :param hook: import path of the vendor's hook.
    :param conn_id: id of the Airflow connection, which the triggerer gets.
    :param poll_method: name of the dialect's conversation that returns a ``PollResult``.
    :param arguments: its arguments: ids, names and numbers, nothing secret.
    :param poll_interval: seconds between two polls.
    :param deadline: when to stop waiting, seconds since the epoch.
    :param first_poll_at: when to poll first, likewise; default at once. One that is late, as after a restart of the
        triggerer, polls within one ``poll_interval``, at a time of its own.
    :param max_poll_failures: consecutive polls that may fail.
    :param failures: consecutive polls that have failed already.
    :param unknown: undocumented statuses that were logged already.
    :raises InputError: Airflow could not store one of these.
    """

    def __init__(
        self,
        *,
        hook: str,
        conn_id: str,
        poll_method: str,
        arguments: dict[str, Any],
        poll_interval: float,
        deadline: float,
        first_poll_at: float = 0.0,
        max_poll_failures: int = MAX_POLL_FAILURES,
        failures: int = 0,
        unknown: Sequence[str] = (),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.hook = hook
        self.conn_id = conn_id
        self.poll_method = poll_method
        self.arguments = arguments
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.first_poll_at = first_poll_at
        self.max_poll_failures = max_poll_failures
        self.failures = failures
        self.unknown = list(unknown)
        self._connected: tuple[CampaignHook, AsyncTransport] | None = None
        check_kwargs(self.serialize()[1])

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, as Airflow stores them."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in KWARGS}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: ``state`` is done, failed, timeout or error; none when the trigger is cancelled."""
        try:
            event: Mapping[str, Any] = await self._wait()
        except CampaignError as error:
            event = error_to_event(error)
        finally:
            await self.cleanup()
        yield TriggerEvent(dict(event))

    async def cleanup(self) -> None:
        """Close the session; a later poll would open another."""
        connected, self._connected = self._connected, None
        if connected is not None:
            await connected[1].__aexit__()

    async def connect(self) -> tuple[CampaignHook, AsyncTransport]:
        """Return the hook and the only session of this trigger, opened when it is first needed."""
        if self._connected is None:
            hook: CampaignHook = import_string(self.hook)(self.conn_id)
            transport = await hook.async_transport()
            self._connected = hook, await transport.__aenter__()
        return self._connected

    async def _wait(self) -> WaitResult:
        poller = Poller(self.deadline, self.max_poll_failures, self.failures, set(self.unknown))
        await asyncio.sleep(min(self._first_pause(), poller.left()))
        while True:
            ending = await self._poll(poller)
            if ending is not None:
                return ending
            await asyncio.sleep(poller.pause(self.poll_interval))

    def _first_pause(self) -> float:
        if not self.first_poll_at:
            return 0.0
        pause = self.first_poll_at - time.time()
        # A triggerer that starts again has many that are late, and would poll every vendor a thousand times at once.
        return pause if pause > 0 else random.uniform(0, self.poll_interval)  # noqa: S311

    async def _poll(self, poller: Poller) -> WaitResult | None:
        try:
            progress = await self._progress(poller)
        except CampaignError as error:
            return poller.failed(error)
        return poller.record_result(progress)

    async def _progress(self, poller: Poller) -> PollResult:
        try:
            return await self._ask(poller)
        except CallRefusedError as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
        self.log.warning("The credentials are refused; looking the connection up again")
        await self.cleanup()
        return await self._ask(poller)

    async def _ask(self, poller: Poller) -> PollResult:
        hook, transport = await self.connect()
        progress: PollResult = await transport.run(poller.poll(hook.dialect, self.poll_method, self.arguments))
        return progress


def check_kwargs(kwargs: Mapping[str, Any]) -> None:
    """
    Make sure that a trigger's arguments come out of Airflow's database as they went in.

    :raises InputError: one of them would not.
    """
    for name, value in kwargs.items():
        try:
            same = json.loads(json.dumps(value, allow_nan=False)) == value
        except (TypeError, ValueError):
            same = False
        if not same:
            raise InputError(name, "what JSON knows: text, numbers, true, false, null, lists, objects", repr(value))
