"""One poll of an Exotel account for all its watchers; only where Airflow (3.3 and later) shares streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from airflow_provider_campaigns.triggers.finished import Look, looks


class SharedLooks(SharedStreamProducer):
    """
    Looks at an account for ever.

    :param conn_id: id of the Airflow connection.
    :param poll_interval: seconds between two looks.
    :param lookback_days: how old a campaign may be at the first look.
    """

    def __init__(self, conn_id: str, poll_interval: float, lookback_days: float) -> None:
        self._looks = looks(conn_id, poll_interval, lookback_days)

    async def open_stream(self) -> AsyncIterator[tuple[Look, Look]]:
        """Yield each look, for the watchers and for ``advance``."""
        async for look in self._looks:
            yield look, look

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Store the watchers' marks: Airflow has stored the events that they made of these looks."""
        for look, outcome in batch:
            if not outcome.failed:
                await look.settle()
