"""Deliveries as the history database has them; how far a running one is, Airflow's metadata says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_campaigns.history.database import HistoryError
from airflow_provider_campaigns.history.tables import COUNTS, contacts, deliveries
from airflow_provider_campaigns.overview.delivery import (
    MOST_AT_A_TIME,
    DeliveriesPage,
    DeliveryView,
    Moment,
    TaskId,
    Wanted,
)
from airflow_provider_campaigns.overview.metadata import Live, escaped
from airflow_provider_campaigns.overview.notes import count_of, counts_of, in_utc, number_of, time_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

_KEY = ("dag_id", "run_id", "task_id", "map_index")
# Of the counts, those by status.
_STATUSES = tuple(name for name in COUNTS if name not in {"contacts", "requests"})
# Parts into which a delivery's time is divided.
PARTS = 24
SHORTEST_PART = timedelta(seconds=1)


class HistorySource:
    """
    Deliveries in the history database.

    :param engine: of the database; nothing is written.
    :param conn_id: of the Airflow connection, for messages.
    :param live: returns what Airflow knows of task instances.
    """

    name: Literal["history", "metadata"] = "history"

    def __init__(
        self, engine: Engine, conn_id: str, live: Callable[[Collection[TaskId]], Mapping[TaskId, Live]]
    ) -> None:
        self._engine = engine
        self._conn_id = conn_id
        self._live = live

    def deliveries(self, wanted: Wanted, first: int = 0, most: int = 50) -> DeliveriesPage:
        """Return some deliveries, the latest first; see ``DeliverySource``."""
        conditions = list(_conditions(wanted))
        count = sa.select(sa.func.count()).select_from(deliveries).where(*conditions)
        total = self._ask(count)[0][0]
        return DeliveriesPage(self._views(conditions, first, most), total)

    def delivery(self, task: TaskId) -> DeliveryView | None:
        """Return the latest delivery of a task instance, None when there is none."""
        views = self._views([_is_of(task)], 0, 1)
        return views[0] if views else None

    def candidates(self, wanted: Wanted, most: int) -> Sequence[DeliveryView]:
        """Return the latest deliveries that may need somebody; see ``DeliverySource``."""
        some = [deliveries.c.unknown > 0, deliveries.c.invalid > 0, deliveries.c.state != "complete"]
        return self._views([*_conditions(wanted), sa.or_(*some)], 0, most)

    def by_time(self, task: TaskId) -> Sequence[Moment]:
        """Return what became of contacts over time, empty when it is not known."""
        newest = sa.select(deliveries.c.id).where(_is_of(task)).order_by(deliveries.c.generation.desc()).limit(1)
        found = self._ask(newest)
        if not found:
            return ()
        own = contacts.c.delivery == found[0][0]
        begin, end = self._ask(sa.select(sa.func.min(contacts.c.at), sa.func.max(contacts.c.at)).where(own))[0]
        if begin is None:
            return ()
        part = max((end - begin) / PARTS, SHORTEST_PART)
        begins = [begin + number * part for number in range(PARTS) if begin + number * part <= end]
        later: list[Any] = [(contacts.c.at < until, number) for number, until in enumerate(begins[1:])]
        which: Any = sa.case(*later, else_=len(begins) - 1) if later else sa.literal(0)
        counted = sa.select(which.label("part"), contacts.c.status, sa.func.count()).where(own)
        rows = self._ask(counted.group_by(sa.text("part"), contacts.c.status))
        counts: list[dict[str, int]] = [{} for _ in begins]
        for number, status, count in rows:
            counts[number][status] = count
        return [Moment(in_utc(moment), one) for moment, one in zip(begins, counts, strict=True)]

    def _views(self, conditions: Sequence[Any], first: int, most: int) -> list[DeliveryView]:
        order = (deliveries.c.begun.desc(), deliveries.c.generation.desc(), deliveries.c.id)
        statement = sa.select(deliveries).where(*conditions).order_by(*order).offset(first)
        views = [_view(row) for row in self._ask(statement.limit(min(most, MOST_AT_A_TIME)))]
        live = self._live([view.task for view in views])
        return [_with_live(view, live.get(view.task)) for view in views]

    def _ask(self, statement: Any) -> Sequence[Any]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(statement).all()
        except SQLAlchemyError as error:
            raise HistoryError(self._conn_id, error) from None


def _is_of(task: TaskId) -> Any:
    return sa.and_(*(deliveries.c[name] == value for name, value in task._asdict().items()))


def _conditions(wanted: Wanted) -> Iterator[Any]:
    if wanted.dag_ids is not None:
        yield deliveries.c.dag_id.in_(sorted(wanted.dag_ids))
    for name in ("dag_id", "run_id", "task_id", "vendor", "state"):
        if value := getattr(wanted, name):
            yield deliveries.c[name] == value
    if wanted.since:
        yield deliveries.c.begun >= _naive(wanted.since)
    if wanted.until:
        yield deliveries.c.begun < _naive(wanted.until)
    if wanted.search:
        part = f"%{escaped(wanted.search)}%"
        names = ("dag_id", "run_id", "task_id", "campaign")
        yield sa.or_(*(deliveries.c[name].ilike(part, escape="/") for name in names))


def _naive(moment: datetime) -> datetime:
    return in_utc(moment).replace(tzinfo=None)


def _view(found: Any) -> DeliveryView:
    row = dict(zip(deliveries.c.keys(), found, strict=True))
    ended = row["ended"] is not None
    return DeliveryView(
        task=TaskId(*(row[name] for name in _KEY)),
        vendor=row["vendor"],
        account=row["account"],
        campaign=row["campaign"],
        channel=row["channel"],
        state=row["state"],
        began=in_utc(row["begun"]),
        ended=in_utc(row["ended"]) if ended else None,
        contacts=row["contacts"] if ended else None,
        counts={status: row[status] for status in _STATUSES} if ended else {},
        requests=row["requests"] if ended else None,
        outcomes_path=row["outcomes_path"],
    )


def _with_live(view: DeliveryView, live: Live | None) -> DeliveryView:
    """Return a delivery with what Airflow knows: a killed one stays noted as running, and its counts are not noted."""
    if live is None:
        # Its run was deleted.
        return replace(view, state="incomplete") if view.state == "running" else view
    if view.state != "running":
        return replace(view, task_state=live.state)
    note, runs = live.note, live.is_unfinished
    return replace(
        view,
        state="running" if runs else "incomplete",
        task_state=live.state,
        contacts=count_of(note, "contacts"),
        counts=counts_of(note),
        per_second=number_of(note, "per_second") if runs else None,
        minutes_left=number_of(note, "minutes_left") if runs else None,
        updated=time_of(note, "updated"),
    )
