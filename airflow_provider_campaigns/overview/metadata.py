"""
Deliveries as Airflow's metadata database has them.

A task that ended stored its receipt as an XCom; one that runs stores a progress note now and then. Both are searched as
text, for no function on JSON is the same in SQLite, PostgreSQL and MySQL, nor is the column in Airflow 2 and 3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import sqlalchemy as sa

from airflow_provider_campaigns.delivery.xcoms import OUTCOMES
from airflow_provider_campaigns.overview.delivery import (
    MOST_AT_A_TIME,
    UNFINISHED,
    DeliveriesPage,
    DeliveryView,
    Moment,
    State,
    TaskId,
    Wanted,
)
from airflow_provider_campaigns.overview.notes import (
    count_of,
    counts_of,
    in_utc,
    name_of,
    number_of,
    parse_note,
    time_of,
)
from airflow_provider_campaigns.state.metadata import TASK_COLUMNS, as_text, metadata_tables, same_task, task_column
from airflow_provider_campaigns.state.task_state import PROGRESS

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MOST_LINKS = 10
LONGEST_URL = 2_000

RECEIPT = "receipt"
"""Key of the XCom that has the receipt of a delivery."""

# How JSON texts are written by Airflow and by all databases: `{"name": value, ...}`.
_ANY = "%"


class Link(NamedTuple):
    """
    A link that a task stored.

    :param url: of the web.
    """

    name: str
    url: str


class Live(NamedTuple):
    """
    What Airflow knows of a task instance now.

    :param state: of the task instance.
    :param note: how far the delivery is, empty when it is not known.
    """

    state: str | None
    note: Mapping[str, Any]

    @property
    def is_unfinished(self) -> bool:
        """Whether Airflow may still do something for it."""
        return self.state is None or self.state in UNFINISHED


class MetadataSource:
    """
    Deliveries in Airflow's metadata.

    :param session: of the metadata database.
    """

    name: Literal["history", "metadata"] = "metadata"

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dialect = session.get_bind().dialect.name
        self._tables = metadata_tables()

    def deliveries(self, wanted: Wanted, first: int = 0, most: int = 50) -> DeliveriesPage:
        """Return some deliveries, the latest first; see ``DeliverySource``."""
        found = self._found(wanted)
        if found is None:
            return DeliveriesPage((), 0)
        total = self._session.execute(sa.select(sa.func.count()).select_from(found)).scalar() or 0
        return DeliveriesPage(self._views(found, first, most), total)

    def delivery(self, task: TaskId) -> DeliveryView | None:
        """Return the delivery of a task instance, None when there is none."""
        found = self._found(Wanted(), task)
        views = [] if found is None else self._views(found, 0, 1)
        return views[0] if views else None

    def candidates(self, wanted: Wanted, most: int) -> Sequence[DeliveryView]:
        """Return the latest deliveries that may need somebody; see ``DeliverySource``."""
        found = self._found(wanted, needs=True)
        return [] if found is None else self._views(found, 0, most)

    def by_time(self, task: TaskId) -> Sequence[Moment]:
        """Return nothing: Airflow keeps the last counts alone."""
        return ()

    def live(self, tasks: Collection[TaskId]) -> dict[TaskId, Live]:
        """Return what Airflow knows of task instances, without those that it does not know."""
        if not tasks:
            return {}
        ti, progress = self._tables.task_instance, self._tables.progress
        shown = sa.and_(same_task(progress, ti), progress.c.key == PROGRESS)
        statement = (
            sa.select(*_columns(ti), ti.c.state, as_text(progress.c.value, self._dialect))
            .select_from(ti.outerjoin(progress, shown))
            .where(sa.tuple_(*_columns(ti)).in_([tuple(task) for task in tasks]))
        )
        rows = self._session.execute(statement)
        return {TaskId(*task): Live(state, parse_note(note)) for *task, state, note in rows}

    def unfinished_notes(self, mark: str, dag_ids: Collection[str] | None, most: int) -> Sequence[Any]:
        """
        Return the progress notes of task instances that have not ended, the oldest first.

        :param mark: what a note must have in its text.
        :param dag_ids: of DAGs that may be read; None: all.
        """
        ti, progress = self._tables.task_instance, self._tables.progress
        text = as_text(progress.c.value, self._dialect)
        statement = (
            sa.select(*_columns(ti), ti.c.state, ti.c.start_date, text.label("note"))
            .select_from(ti.join(progress, same_task(progress, ti)))
            .where(
                ti.c.state.in_(UNFINISHED),
                progress.c.key == PROGRESS,
                text.like(f"{_ANY}{escaped(mark)}{_ANY}", escape="/"),
            )
            .order_by(ti.c.start_date, *_columns(ti))
            .limit(most)
        )
        if dag_ids is not None:
            statement = statement.where(ti.c.dag_id.in_(sorted(dag_ids)))
        return self._session.execute(statement).mappings().all()

    def links(self, task: TaskId) -> Sequence[Link]:
        """Return the links that a task stored; see ``links/stored.py``."""
        xcom = self._tables.xcom
        statement = (
            sa.select(xcom.c.key, as_text(xcom.c.value, self._dialect))
            .where(_is(xcom, task), xcom.c.key.like("/_link/_%", escape="/"))
            .order_by(xcom.c.key)
            .limit(MOST_LINKS)
        )
        found = ((key, _url(text)) for key, text in self._session.execute(statement))
        return [Link(_title(key), url) for key, url in found if url]

    def outcomes(self, task: TaskId) -> str | None:
        """Return the outcomes of a delivery without a folder, as JSON; None when there are none."""
        xcom = self._tables.xcom
        statement = sa.select(as_text(xcom.c.value, self._dialect)).where(_is(xcom, task), xcom.c.key == OUTCOMES)
        found: str | None = self._session.execute(statement).scalar()
        return found

    def _found(self, wanted: Wanted, task: TaskId | None = None, *, needs: bool = False) -> Any:
        """Return the subquery of what is wanted, None when nothing can be."""
        parts = [*self._ended(wanted, task, needs=needs), *self._under_way(wanted, task, needs=needs)]
        if not parts:
            return None
        return (sa.union_all(*parts) if len(parts) > 1 else parts[0]).subquery()

    def _ended(self, wanted: Wanted, task: TaskId | None, *, needs: bool) -> Iterator[Any]:
        """Yield the query of deliveries that have a receipt."""
        if wanted.state == "running":
            return
        xcom, ti = self._tables.xcom, self._tables.task_instance
        receipt = as_text(xcom.c.value, self._dialect)
        conditions = [xcom.c.key == RECEIPT, *self._conditions(wanted, task, xcom, receipt)]
        if wanted.state:
            unsent = _is_counted(receipt, "unsent")
            conditions.append(unsent if wanted.state == "incomplete" else sa.not_(unsent))
        if needs:
            counted = [_is_counted(receipt, status) for status in ("unknown", "unsent", "invalid")]
            conditions.append(sa.or_(ti.c.state == "failed", *counted))
        yield self._query(xcom, receipt, conditions)

    def _under_way(self, wanted: Wanted, task: TaskId | None, *, needs: bool) -> Iterator[Any]:
        """Yield the query of deliveries that have a progress note alone: they run, or were killed."""
        if wanted.state == "complete":
            return
        progress, xcom, ti = self._tables.progress, self._tables.xcom, self._tables.task_instance
        note = as_text(progress.c.value, self._dialect)
        receipts = xcom.alias("receipts")
        runs = sa.or_(ti.c.state.is_(None), ti.c.state.in_(UNFINISHED))
        conditions = [
            progress.c.key == PROGRESS,
            note.like(f'{_ANY}"contacts": {_ANY}'),
            sa.or_(ti.c.state.is_(None), ti.c.state.not_in(("success", "skipped", "removed"))),
            ~sa.exists().where(same_task(receipts, progress), receipts.c.key == RECEIPT),
            *self._conditions(wanted, task, progress, note),
        ]
        if wanted.state:
            conditions.append(runs if wanted.state == "running" else sa.not_(runs))
        if needs:
            conditions.append(sa.not_(runs))
        yield self._query(progress, note, conditions)

    def _query(self, noted: Any, text: Any, conditions: Sequence[Any]) -> Any:
        """Return the query of a table's notes, with what Airflow knows of their task instances."""
        ti = self._tables.task_instance
        at = noted.c.timestamp if "timestamp" in noted.c else noted.c.updated_at
        return (
            sa.select(
                *_columns(ti),
                ti.c.state,
                sa.func.coalesce(ti.c.start_date, at).label("began"),
                ti.c.end_date,
                text.label("note"),
                noted.c.key.label("kind"),
            )
            .select_from(noted.join(ti, same_task(noted, ti)))
            .where(*conditions)
        )

    def _conditions(self, wanted: Wanted, task: TaskId | None, noted: Any, text: Any) -> Iterator[Any]:
        ti = self._tables.task_instance
        if wanted.dag_ids is not None:
            yield noted.c.dag_id.in_(sorted(wanted.dag_ids))
        for name in ("dag_id", "run_id", "task_id"):
            if value := getattr(wanted, name):
                yield noted.c[name] == value
        if task:
            yield _is(noted, task)
        if wanted.since:
            yield ti.c.start_date >= wanted.since
        if wanted.until:
            yield ti.c.start_date < wanted.until
        if wanted.vendor:
            yield _has(text, '"vendor": "', wanted.vendor, '"')
        if wanted.search:
            part = f"{_ANY}{escaped(wanted.search)}{_ANY}"
            names = [noted.c[name].ilike(part, escape="/") for name in ("dag_id", "run_id", "task_id")]
            yield sa.or_(*names, _has(text, f'"campaign": "{_ANY}', wanted.search))

    def _views(self, found: Any, first: int, most: int) -> list[DeliveryView]:
        order = [found.c.began.desc(), *(found.c[name].desc() for name in TASK_COLUMNS)]
        statement = sa.select(found).order_by(*order).offset(first).limit(min(most, MOST_AT_A_TIME))
        return [_view(row) for row in self._session.execute(statement).mappings()]


def _is(table: Any, task: TaskId) -> Any:
    return sa.and_(*(task_column(table, name) == value for name, value in task._asdict().items()))


def _columns(table: Any) -> list[Any]:
    return [task_column(table, name).label(name) for name in TASK_COLUMNS]


def _is_counted(text: Any, name: str) -> Any:
    """Return the condition that a note counts contacts under a name: a number without leading zeros, and not 0."""
    return sa.and_(text.like(f'{_ANY}"{name}": {_ANY}'), text.not_like(f'{_ANY}"{name}": 0{_ANY}'))


def _url(text: str) -> str:
    """Return a web address that is stored as JSON, empty when it is none."""
    try:
        url = json.loads(text)
    except (TypeError, ValueError):
        return ""
    known = isinstance(url, str) and url.startswith(("https://", "http://")) and len(url) <= LONGEST_URL
    return url if known else ""


def _title(key: str) -> str:
    """Return the name of a link, made of that of its class."""
    words = re.findall("[A-Z][a-z]*", key.removesuffix("Link")) or ["Link"]
    return " ".join(words).capitalize()


def escaped(text: str) -> str:
    """Return a text for a pattern in which ``/`` escapes what has a meaning there."""
    for special in "/%_":
        text = text.replace(special, f"/{special}")
    return text


def _has(text: Any, before: str, value: str, after: str = "") -> Any:
    """
    Return the condition that a note has a value, as it is written in JSON: in ASCII, but by PostgreSQL's JSONB.

    :param before: part of a pattern.
    """
    written = {json.dumps(value, ensure_ascii=in_ascii)[1:-1] for in_ascii in (True, False)}
    patterns = (f"{_ANY}{before}{escaped(one)}{after}{_ANY}" for one in sorted(written))
    return sa.or_(*(text.ilike(pattern, escape="/") for pattern in patterns))


def _view(row: Any) -> DeliveryView:
    note = parse_note(row["note"])
    live = Live(row["state"], note)
    ended = row["kind"] == RECEIPT
    counts = counts_of(note)
    state: State = "complete"
    if not ended:
        state = "running" if live.is_unfinished else "incomplete"
    elif counts.get("unsent"):
        state = "incomplete"
    runs = state == "running"
    finished = row["end_date"] and not live.is_unfinished
    return DeliveryView(
        task=TaskId(*(row[name] for name in TASK_COLUMNS)),
        vendor=name_of(note, "vendor"),
        campaign=name_of(note, "campaign"),
        state=state,
        task_state=row["state"],
        began=in_utc(row["began"]),
        ended=in_utc(row["end_date"]) if finished else None,
        contacts=count_of(note, "contacts"),
        counts=counts,
        requests=count_of(note, "requests"),
        per_second=number_of(note, "per_second") if runs else None,
        minutes_left=number_of(note, "minutes_left") if runs else None,
        updated=time_of(note, "updated"),
        outcomes_path=note["outcomes_path"] if isinstance(note.get("outcomes_path"), str) else None,
    )
