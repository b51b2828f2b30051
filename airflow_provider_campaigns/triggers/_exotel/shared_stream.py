"""One poll of an Exotel account for all its watchers; only where Airflow (3.3 and later) shares streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from airflow_provider_campaigns.triggers._exotel.finished import AccountPoll, account_polls


class SharedPolls(SharedStreamProducer):
    """
    Polls an account for ever.

    :param conn_id: id of the Airflow connection.
    :param poll_interval: seconds between two polls.
    :param lookback_days: how old a campaign may be at the first poll.
    """

    def __init__(self, conn_id: str, poll_interval: float, lookback_days: float) -> None:
        self._polls = account_polls(conn_id, poll_interval, lookback_days)

    async def open_stream(self) -> AsyncIterator[tuple[AccountPoll, AccountPoll]]:
        """Yield each poll, for the watchers and for ``advance``."""
        async for poll in self._polls:
            yield poll, poll

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Store the watchers' marks: Airflow has stored the events that they made of these polls."""
        for poll, outcome in batch:
            if not outcome.failed:
                await poll.settle()
