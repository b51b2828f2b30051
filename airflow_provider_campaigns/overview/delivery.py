"""One delivery as people see it, and what they can ask for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, get_args

from airflow_provider_campaigns.delivery.record.outcome import STATUSES

State = Literal["running", "complete", "incomplete"]
"""``incomplete``: it ended early, or its task was killed; a later try may complete it."""
STATES: tuple[State, ...] = get_args(State)

# States in which Airflow may still do something for a task instance without anybody's help; None is one of them.
UNFINISHED = (
    "scheduled",
    "queued",
    "running",
    "restarting",
    "up_for_retry",
    "up_for_reschedule",
    "deferred",
    "awaiting_input",
)

MOST_AT_A_TIME = 500
"""Deliveries of one page, at the most."""


class TaskId(NamedTuple):
    """A task instance; -1 stands for a task that is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


@dataclass(frozen=True)
class DeliveryView:
    """
    A delivery; its texts come from DAG authors and vendors.

    :param task: the task instance that delivers.
    :param account: of the vendor: the connection's id and host; empty when it is not known.
    :param channel: of the messages; empty when it is not known, or nobody is contacted.
    :param state: of the delivery.
    :param task_state: of the task instance in Airflow, None when there is none, or it is not known.
    :param began: UTC.
    :param ended: UTC, None when it is not known, or has not ended.
    :param contacts: rows of the source, None when they are not known.
    :param counts: contacts by status; while it runs, so far. Empty when they are not known.
    :param requests: that took contacts to the vendor, None when they are not known.
    :param per_second: contacts that are done in a second, None unless it runs.
    :param minutes_left: None when it is not known.
    :param updated: when the counts of a running delivery were noted, UTC.
    :param outcomes_path: folder of the outcomes, None when they are in an XCom.
    """

    task: TaskId
    vendor: str
    campaign: str
    state: State
    began: datetime
    account: str = ""
    channel: str = ""
    task_state: str | None = None
    ended: datetime | None = None
    contacts: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    requests: int | None = None
    per_second: float | None = None
    minutes_left: float | None = None
    updated: datetime | None = None
    outcomes_path: str | None = None

    @property
    def conn_id(self) -> str:
        """The Airflow connection, empty when it is not known."""
        return self.account.partition(" ")[0]

    @property
    def done(self) -> int:
        """Contacts that have an outcome."""
        return sum(self.counts.get(status, 0) for status in STATUSES if status != "unsent")

    def count(self, status: str) -> int:
        """Return the number of contacts with a status."""
        return self.counts.get(status, 0)


@dataclass(frozen=True)
class Wanted:
    """
    Which deliveries are asked for; what is None or empty does not restrict them.

    :param dag_ids: of DAGs that may be read: no other is ever returned.
    :param since: those that began then or later, UTC.
    :param until: those that began before, UTC.
    :param search: part of the name of the DAG, run, task or campaign; case does not count, where the database can.
    """

    dag_ids: Collection[str] | None = None
    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    vendor: str = ""
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str = ""


@dataclass(frozen=True)
class DeliveriesPage:
    """
    Some deliveries, the latest first.

    :param total: how many there are.
    """

    rows: Sequence[DeliveryView]
    total: int


@dataclass(frozen=True)
class Moment:
    """
    What became of contacts in a part of a delivery's time.

    :param begin: UTC.
    :param counts: contacts by status.
    """

    begin: datetime
    counts: Mapping[str, int]


class DeliverySource(Protocol):
    """Where deliveries are read."""

    name: Literal["history", "metadata"]

    def deliveries(self, wanted: Wanted, first: int = 0, most: int = 50) -> DeliveriesPage:
        """
        Return some deliveries, the latest first.

        :param first: how many to pass over.
        :param most: how many to return, up to ``MOST_AT_A_TIME``.
        """

    def delivery(self, task: TaskId) -> DeliveryView | None:
        """Return the latest delivery of a task instance, None when there is none."""

    def candidates(self, wanted: Wanted, most: int) -> Sequence[DeliveryView]:
        """Return the latest deliveries that may need somebody: all that do, and some that do not."""

    def by_time(self, task: TaskId) -> Sequence[Moment]:
        """Return what became of contacts over time, empty when it is not known."""
