"""Watches a campaign from the triggerer: reads only, carries ids only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.module_loading import import_string
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_campaigns.exceptions import CampaignError

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.base import CampaignHook
    from airflow_provider_campaigns.protocol.watching import Progress


class CampaignStatusTrigger(BaseTrigger):
    """
    Polls one campaign until it is over.

    :param hook: import path of the vendor's hook.
    :param conn_id: id of the Airflow connection; looked up in the triggerer.
    :param watch: name of the dialect's conversation that returns a ``Progress``.
    :param arguments: its arguments: ids and numbers, nothing secret.
    :param poll_interval: seconds between two looks.
    :param deadline: when to stop waiting, seconds since the epoch.
    """

    def __init__(
        self,
        *,
        hook: str,
        conn_id: str,
        watch: str,
        arguments: dict[str, Any],
        poll_interval: float,
        deadline: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.hook = hook
        self.conn_id = conn_id
        self.watch = watch
        self.arguments = arguments
        self.poll_interval = poll_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, as Airflow stores them."""
        names = ("hook", "conn_id", "watch", "arguments", "poll_interval", "deadline")
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: ``state`` is done, failed, timeout or error."""
        try:
            yield TriggerEvent(await self._wait())
        except CampaignError as error:
            yield TriggerEvent({"state": "error", "message": str(error)})

    async def _wait(self) -> dict[str, Any]:
        hook: CampaignHook = import_string(self.hook)(self.conn_id)
        async with await hook.async_transport() as transport:
            while True:
                progress: Progress = await transport.run(getattr(hook.dialect, self.watch)(**self.arguments))
                event = {"state": progress.state, "status": progress.status, "details": dict(progress.details)}
                if progress.state != "going_on":
                    return event
                left = self.deadline - time.time()
                if left <= 0:
                    return {**event, "state": "timeout"}
                self.log.info("%s is %s", self.watch, progress.status)
                await asyncio.sleep(min(self.poll_interval, left))
