"""Which of an Exotel account's campaigns are newly over: one poll of all of them, and a mark of what was reported."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_campaigns.exceptions import CampaignError, VendorUnavailableError
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.protocol.polling import LONGEST_PAUSE, Poller, PollResult
from airflow_provider_campaigns.vendors.common.reply_values import mapping
from airflow_provider_campaigns.vendors.exotel.status import created_at, progress

log = logging.getLogger(__name__)

# Campaigns so much older than the newest one are either known or will never be listed: seconds.
OVERLAP = 3600.0


@dataclass(frozen=True, slots=True)
class SeenCampaign:
    """
    A campaign as it was seen last.

    :param created: when it was created, seconds since the epoch.
    """

    id: str
    name: str
    created: float
    progress: PollResult

    @classmethod
    def read(cls, campaign: Mapping[str, Any], now: float) -> Self:
        """Return what the list says of a campaign; one without a date counts as created ``now``."""
        identifier, created = str(campaign.get("id")), created_at(campaign)
        return cls(
            identifier,
            str(campaign.get("name") or ""),
            created.timestamp() if created else now,
            progress(campaign, identifier),
        )

    @property
    def over(self) -> bool:
        """Whether it is in a final state."""
        return self.progress.state != "running"

    def event(self) -> dict[str, Any]:
        """Return the payload of its asset event: no phone number and no secret."""
        details = self.progress.details
        counts = {name: count for name, count in mapping(details.get("stats")).items() if isinstance(count, int)}
        reason = {"reason": details["reason"]} if "reason" in details else {}
        ended = {"status": self.progress.status, "state": self.progress.state, **reason}
        return {"campaign_id": self.id, "name": self.name, "counts": counts, **ended}


@dataclass(frozen=True)
class Mark:
    """
    What was reported, as far as it takes to report the rest once.

    :param since: campaigns created earlier are reported only if they are ``open``: seconds since the epoch.
    :param open: campaigns that were not over.
    :param reported: campaigns created since then that were.
    """

    since: float
    open: frozenset[str]
    reported: frozenset[str]

    @classmethod
    def load(cls, stored: Any) -> Self | None:
        """Return a mark that ``dump`` made, None for nothing."""
        if not stored:
            return None
        return cls(stored["since"], frozenset(stored["open"]), frozenset(stored["reported"]))

    def dump(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {"since": self.since, "open": sorted(self.open), "reported": sorted(self.reported)}

    def news(self, campaigns: Collection[SeenCampaign]) -> list[SeenCampaign]:
        """Return the campaigns that are over and were not reported, the oldest first."""
        found = [
            one
            for one in campaigns
            if one.over and (one.id in self.open or (one.created >= self.since and one.id not in self.reported))
        ]
        return sorted(found, key=lambda one: (one.created, one.id))

    @classmethod
    def after(cls, campaigns: Collection[SeenCampaign], before: Mark | None) -> Self:
        """Return the mark once all of these that are over were reported."""
        newest = max((one.created for one in campaigns), default=None)
        since = newest - OVERLAP if newest is not None else before.since if before else _now() - OVERLAP
        return cls(
            since,
            frozenset(one.id for one in campaigns if not one.over),
            frozenset(one.id for one in campaigns if one.over and one.created >= since),
        )


@dataclass
class AccountPoll:
    """
    One poll of an account, which all its watchers share.

    :param campaigns: all of them, as they were seen last.
    :param before: the mark of the poll before this one, None for the first.
    :param after: the mark of this one.
    :param settled: what the watchers store when their events are safe.
    """

    campaigns: Sequence[SeenCampaign]
    before: Mark | None
    after: Mark
    settled: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def settle(self) -> None:
        """Store the watchers' marks."""
        for store in self.settled:
            await store()


async def account_polls(conn_id: str, poll_interval: float, lookback_days: float) -> AsyncIterator[AccountPoll]:
    """
    Poll an account's campaigns for ever; an error is logged, and the next poll is later.

    The first poll reads all campaigns of the last ``lookback_days``, the others only back to the oldest one that is not
    over.

    :param conn_id: id of the Airflow connection; looked up again after an error.
    :param poll_interval: seconds between two polls.
    :param lookback_days: how old a campaign may be at the first poll.
    """
    account = _Account(lookback_days)
    while True:
        try:
            hook = ExotelHook(conn_id)
            async with await hook.async_transport() as transport:
                while True:
                    conversation = account.poller.poll(hook.dialect, "recent_campaigns", {"since": account.unread})
                    yield account.read(await transport.run(conversation))
                    await asyncio.sleep(poll_interval)
        except (CampaignError, AirflowNotFoundException) as error:
            pause = account.failed(error, poll_interval)
        await asyncio.sleep(pause)


class _Account:
    """What is known of an account from one poll to the next."""

    def __init__(self, lookback_days: float) -> None:
        self.poller = Poller(deadline=math.inf, max_failures=sys.maxsize)
        self._lookback = timedelta(days=lookback_days).total_seconds()
        self._seen: dict[str, SeenCampaign] = {}
        self._mark: Mark | None = None

    @property
    def unread(self) -> datetime:
        """How far back the next poll has to read."""
        since = _now() - self._lookback
        if self._mark is not None:
            since = min((self._seen[one].created for one in self._mark.open), default=self._mark.since)
            since = min(since, self._mark.since)
        return datetime.fromtimestamp(since, UTC)

    def read(self, campaigns: Sequence[Mapping[str, Any]]) -> AccountPoll:
        """Record what a poll found."""
        now, before = _now(), self._mark
        found = {one.id: one for one in (SeenCampaign.read(campaign, now) for campaign in campaigns)}
        unknown = {word for one in found.values() for word in one.progress.unknown}
        self.poller.record_result(PollResult("running", f"{len(found)} campaigns", unknown=unknown))
        # One that is not found this time may only have slipped from one page to the next.
        known = {**self._seen, **found}
        self._seen = {key: one for key, one in known.items() if key in found or one.created > now - self._lookback}
        self._mark = Mark.after(self._seen.values(), before)
        return AccountPoll(list(self._seen.values()), before, self._mark)

    def failed(self, error: Exception, poll_interval: float) -> float:
        """Record the error that a poll ended with, and return the seconds until the next."""
        if isinstance(error, VendorUnavailableError):
            self.poller.failed(error)
            return self.poller.pause(poll_interval)
        log.error("Exotel's campaigns cannot be watched: %s", error)
        return max(poll_interval, LONGEST_PAUSE)


def _now() -> float:
    return datetime.now(UTC).timestamp()
