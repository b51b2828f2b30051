"""Opens the overview: the history database where one is configured, and Airflow's metadata."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from airflow_provider_campaigns.configuration import setting
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.overview.delivery import (
    DeliveriesPage,
    DeliverySource,
    DeliveryView,
    Moment,
    TaskId,
    Wanted,
)
from airflow_provider_campaigns.overview.metadata import Link, MetadataSource
from airflow_provider_campaigns.overview.needs import Need, needs
from airflow_provider_campaigns.overview.outcomes import Sample, read_outcomes, read_sample
from airflow_provider_campaigns.overview.waiting import CampaignWait, waiting
from airflow_provider_campaigns.state.metadata import find_connection, reading_session


class Overview:
    """
    What people see of deliveries.

    :param source: where deliveries are read.
    :param metadata: Airflow's, which knows how far running tasks are.
    """

    def __init__(self, source: DeliverySource, metadata: MetadataSource) -> None:
        self._source = source
        self._metadata = metadata

    @property
    def source(self) -> str:
        """``history`` or ``metadata``."""
        return self._source.name

    def deliveries(self, wanted: Wanted, first: int = 0, most: int = 50) -> DeliveriesPage:
        """
        Return some deliveries, the latest first.

        :param first: how many to pass over.
        :param most: how many to return, up to 500.
        """
        return self._source.deliveries(wanted, first, most)

    def delivery(self, task: TaskId) -> DeliveryView | None:
        """Return the latest delivery of a task instance, None when there is none."""
        return self._source.delivery(task)

    def knows(self, task: TaskId) -> bool:
        """Whether Airflow has a task instance, whatever it noted."""
        return task in self._metadata.live([task])

    def by_time(self, task: TaskId) -> Sequence[Moment]:
        """Return what became of a delivery's contacts over time, empty when it is not known."""
        return self._source.by_time(task)

    def sample(self, view: DeliveryView, status: str = "") -> Sample:
        """
        Return reasons with counts, and the first outcomes, masked.

        :param status: which outcomes are shown; default all.
        """
        return read_sample(view, self._metadata, status)

    def outcomes(self, view: DeliveryView, status: str, most: int) -> Sequence[Outcome]:
        """
        Return the first outcomes with a status, in clear: they name people, and are for who asks the vendor.

        :raises CampaignError: they could not be read.
        """
        return read_outcomes(view, self._metadata, status, most)

    def needs(self, wanted: Wanted) -> Sequence[Need]:
        """Return the deliveries that need somebody, the latest first, and what to do."""
        return needs(self._source, wanted)

    def links(self, task: TaskId) -> Sequence[Link]:
        """Return the links that a task stored: to its campaign at the vendor, and the like."""
        return self._metadata.links(task)

    def waiting(self, dag_ids: Collection[str] | None) -> Sequence[CampaignWait]:
        """
        Return tasks that wait for a campaign.

        :param dag_ids: of DAGs that may be read; None: all.
        """
        return waiting(self._metadata, dag_ids)


@contextmanager
def open_overview() -> Iterator[Overview]:
    """
    Yield the overview.

    :raises InputError: ``[campaigns] history_conn_id`` names no connection that can be used.
    :raises HistoryError: the history database cannot be reached; raised by each method, too.
    """
    with reading_session() as session:
        metadata = MetadataSource(session)
        yield Overview(_history(metadata) or metadata, metadata)


def _history(metadata: MetadataSource) -> DeliverySource | None:
    """Return the history, None where none is configured, or it has no tables yet."""
    conn_id = setting("history_conn_id")
    if not conn_id:
        return None
    from airflow.providers.common.compat.sdk import AirflowException

    from airflow_provider_campaigns.history.connection import open_for_reading
    from airflow_provider_campaigns.overview.history import HistorySource

    try:
        connection = find_connection(conn_id)
    except AirflowException as error:
        expected = "the id of an Airflow connection"
        raise InputError("[campaigns] history_conn_id", expected, f"{conn_id!r}: {error}") from None
    engine = open_for_reading(conn_id, connection)
    return HistorySource(engine, conn_id, metadata.live) if engine else None
