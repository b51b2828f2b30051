"""Polls Exotel's campaigns from the triggerer: one that a task waits for, or all of an account."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Hashable
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.triggers.base import TriggerEvent

from airflow_provider_campaigns.compat import BaseEventTrigger
from airflow_provider_campaigns.exceptions import CampaignError, InputError
from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger, check_kwargs

if TYPE_CHECKING:
    from airflow.triggers.shared_stream import SharedStreamProducer

    from airflow_provider_campaigns.state.watch_marks import MarkStore
    from airflow_provider_campaigns.triggers._exotel.finished import AccountPoll

log = logging.getLogger(__name__)


class PausingCampaignTrigger(CampaignStatusTrigger):
    """
    A ``CampaignStatusTrigger`` of one Exotel campaign, for ``pause_on_kill``.

    Airflow 3.3 and later call ``on_kill`` when a user clears or marks the deferred task, not when the triggerer
    restarts. Pausing is the only write that a trigger of this package makes at a vendor.
    """

    async def on_kill(self) -> None:
        """Pause the campaign; pausing twice does no harm."""
        from airflow_provider_campaigns.vendors.exotel.dialect import Exotel

        campaign_id = self.arguments["campaign_id"]
        try:
            hook, transport = await self.connect()
            assert isinstance(hook.dialect, Exotel)
            await transport.run(hook.dialect.update_campaign(campaign_id, "pause"))
            self.log.info("Paused campaign %s", campaign_id)
        except CampaignError as error:
            self.log.warning("Campaign %s could not be paused: %s", campaign_id, error)


class ExotelCampaignFinishedTrigger(BaseEventTrigger):  # type: ignore[misc, unused-ignore]
    """
    Fires when a campaign of an Exotel account reaches a final state, for an ``AssetWatcher`` (Airflow 3.0 and later).

    .. code-block:: python

        finished = Asset(
            "exotel_campaigns",
            watchers=[AssetWatcher(name="finished", trigger=ExotelCampaignFinishedTrigger(name="Renewals *"))],
        )

        with DAG("follow_up", schedule=[finished]): ...

    The event's payload is ``{"campaign_id", "name", "status", "state", "counts"}``: ``state`` is ``done`` (Completed,
    Archived) or ``failed`` (Failed, Canceled, Deleted, still Paused when ``end_at`` has passed; then with ``reason``),
    ``counts`` are Exotel's ``stats``. It holds no phone number.

    Campaigns that were over before the watcher's first poll create no event. What was reported is stored, so that after
    a restart only campaigns that ended meanwhile are reported:

    - Airflow 3.3 and later: in the asset state store, after Airflow has stored the events; if the triggerer dies
      between the two (some seconds), they are repeated. Watchers with the same connection, ``poll_interval`` and
      ``lookback_days`` share one poll.
    - Airflow 3.0 to 3.2, and a trigger that several assets share: in the Airflow Variable ``campaigns_finished_…``,
      just before the event; if the triggerer dies between the two (less than a second), it is lost. Each trigger polls
      separately.

    Errors are logged and never end it: it polls again, at the latest after five minutes or ``poll_interval``, whichever
    is longer.

    :param exotel_conn_id: id of the Airflow connection.
    :param name: only campaigns whose name matches this pattern, e.g. ``Renewals *`` (``*``, ``?``, ``[…]``;
        case-sensitive); default all.
    :param poll_interval: seconds between two polls; default 60.
    :param lookback_days: age in days, since their creation, of the oldest campaigns that are watched when the watcher
        starts; default 60. Exotel ends campaigns after 30 days unless ``end_at`` says otherwise.
    :raises InputError: one of these cannot be used.
    :raises CampaignError: this Airflow has no asset watchers.
    """

    def __init__(
        self,
        *,
        exotel_conn_id: str = "exotel_default",
        name: str = "*",
        poll_interval: float = 60,
        lookback_days: float = 60,
    ) -> None:
        if not AIRFLOW_V_3_0_PLUS:
            raise CampaignError("ExotelCampaignFinishedTrigger needs Airflow 3.0 or later: asset watchers begin there")
        super().__init__()  # type: ignore[no-untyped-call]
        self.exotel_conn_id = exotel_conn_id
        self.name = name
        self.poll_interval = poll_interval
        self.lookback_days = lookback_days
        check_kwargs(self.serialize()[1])
        for field in ("poll_interval", "lookback_days"):
            if not isinstance(getattr(self, field), (int, float)) or getattr(self, field) <= 0:
                raise InputError(field, "a number above 0", repr(getattr(self, field)))

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, as Airflow stores them."""
        names = ("exotel_conn_id", "name", "poll_interval", "lookback_days")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each campaign that is newly over, from polls of its own."""
        from airflow_provider_campaigns.triggers._exotel.finished import account_polls

        store = await self._marks()
        async for poll in account_polls(self.exotel_conn_id, self.poll_interval, self.lookback_days):
            news = self._news(store, poll)
            await poll.settle()
            for event in news:
                yield event

    def shared_stream_key(self) -> Hashable | None:
        """Return what all watchers of one account have in common (Airflow 3.3 and later)."""
        return "exotel", self.exotel_conn_id, float(self.poll_interval), float(self.lookback_days)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Return what polls once for all of them, and stores their marks when Airflow has stored their events."""
        from airflow_provider_campaigns.triggers._exotel.shared_stream import SharedPolls

        return SharedPolls(kwargs["exotel_conn_id"], kwargs["poll_interval"], kwargs["lookback_days"])

    async def filter_shared_stream(self, shared_stream: AsyncIterator[AccountPoll]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each campaign that is newly over, from the polls of all."""
        store = await self._marks()
        async for poll in shared_stream:
            for event in self._news(store, poll):
                yield event

    def _news(self, store: MarkStore, poll: AccountPoll) -> list[TriggerEvent]:
        from airflow_provider_campaigns.triggers._exotel.finished import Mark

        before, after = Mark.load(store.value) or poll.before, poll.after.dump()
        if store.value != after:
            poll.settled.append(partial(store.save, after))
        store.value = after
        news = before.news(poll.campaigns) if before else []
        return [TriggerEvent(one.event()) for one in news if fnmatchcase(one.name, self.name)]

    async def _marks(self) -> MarkStore:
        from airflow_provider_campaigns.state.watch_marks import mark_store

        of_what = json.dumps([self.exotel_conn_id, self.name])
        key = f"campaigns_finished_{hashlib.sha256(of_what.encode()).hexdigest()[:16]}"
        return await mark_store(key, self)
