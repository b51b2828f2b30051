"""How a task uses the contact history; without one, nothing of it is imported."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_provider_campaigns.configuration import setting
from airflow_provider_campaigns.exceptions import CampaignError, InputError, LedgerError
from airflow_provider_campaigns.operators.base.choices import check_ledger
from airflow_provider_campaigns.parameters import LedgerPlace

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.delivery.record.ledger import Ledger
    from airflow_provider_campaigns.history.caps import Cap
    from airflow_provider_campaigns.history.connection import History
    from airflow_provider_campaigns.history.deliveries import TaskKey
    from airflow_provider_campaigns.protocol.history import ContactHistory
    from airflow_provider_campaigns.protocol.pace import Pace
    from airflow_provider_campaigns.protocol.send import Send
    from airflow_provider_campaigns.protocol.store import Store
    from airflow_provider_campaigns.state.patience import Patience

log = logging.getLogger(__name__)

NEEDED = "history_conn_id, or [campaigns] history_conn_id, with it"
# Key in Airflow's state of a task: where its ledger is, if not there.
PLACE = "ledger"
# Seconds for which the pace is asked for in one go: meanwhile no request is sent.
PACE_PATIENCE = 5.0


class UsesHistory(Protocol):
    """The parameters of an operator that use the contact history."""

    history_conn_id: str | None
    frequency_cap: str | Sequence[str] | None
    ledger: LedgerPlace | None


@dataclass(frozen=True)
class TaskHistory:
    """
    The contact history, as one task uses it.

    :param history: the database, None when none is configured.
    :param caps: how often a person may be contacted.
    :param own_caps: the task has caps of its own, beside those of the configuration.
    """

    history: History | None = None
    caps: Sequence[Cap] = ()
    own_caps: bool = False
    task: TaskKey | None = None
    place: LedgerPlace = "airflow"

    def ledger_store(self, state: Store, *, outside: bool = False) -> Store:
        """
        Return where the ledger of the task instance is kept: where earlier tries kept it.

        :param state: the state that Airflow keeps of the task instance.
        :param outside: executed outside a task.
        :raises LedgerError: it is in the history database, and none is configured any more.
        """
        from airflow_provider_campaigns.delivery.record.ledger import KEYS

        there = None if outside else state.get(PLACE)
        if there == "history" and self.history is None:
            raise LedgerError(
                "the record of earlier tries is in the history database, and history_conn_id names none any more. "
                "Nothing was sent. Name it again"
            )
        if self.history is None or self.task is None or outside:
            return state
        if there != "history":
            if self.place == "airflow" or state.get(KEYS.latest) is not None or state.get(KEYS.record(1)) is not None:
                return state
            state.set(PLACE, "history")
        from airflow_provider_campaigns.history.ledger_store import LedgerStore

        return LedgerStore(self.history, self.task)

    def of_delivery(
        self,
        send: Send,
        account: str,
        ledger: Ledger,
        *,
        outcomes_path: str | None,
        sends_at: datetime | None,
    ) -> ContactHistory:
        """
        Return the history of one delivery.

        :param account: of the vendor.
        :param ledger: knows from which try on tries count.
        :raises InputError: the task has caps of its own, and its send contacts nobody.
        """
        if self.own_caps and not send.channel:
            raise InputError("frequency_cap", "a send that contacts people", "one that makes links, or only records")
        return self.of(
            lambda: ledger.generation,
            sends_at,
            vendor=send.vendor,
            account=account,
            campaign=send.campaign,
            channel=send.channel,
            outcomes_path=outcomes_path,
            region=send.region,
        )

    def of(self, generation: Callable[[], int], sends_at: datetime | None, **about: Any) -> ContactHistory:
        """
        Return the history of what a task contacts people with.

        :param generation: number of the first try that counts.
        :param sends_at: when people are contacted, None: at once.
        :param about: what ``history.deliveries.About`` has.
        """
        if self.history is None or self.task is None:
            from airflow_provider_campaigns.protocol.history import NoHistory

            return NoHistory()
        from airflow_provider_campaigns.history.deliveries import About, DeliveryHistory

        at = sends_at.astimezone(UTC).replace(tzinfo=None) if sends_at else None
        return DeliveryHistory(self.history, self.task, About(**about), self.caps, generation=generation, sends_at=at)

    def pace(self, account: str, per_minute: float | None, closes_in: Callable[[], float]) -> Pace | None:
        """
        Return the pace that the tasks of an account share, None when there is no limit or no history.

        :param account: what the requests of one limit are called.
        """
        if self.history is None or not per_minute:
            return None
        from airflow_provider_campaigns.history.account_pace import AccountPace, AccountRow
        from airflow_provider_campaigns.history.database import Database

        own = self.history.database
        row = AccountRow(Database(own.engine, own.conn_id, PACE_PATIENCE), account, per_minute)
        return AccountPace(row, per_minute, closes_in=closes_in)

    def close(self) -> None:
        """Close connections to the database."""
        if self.history:
            self.history.database.engine.dispose()


def open_task_history(operator: UsesHistory, context: Context, patience: Patience) -> TaskHistory:
    """
    Return the history that is configured for a task.

    :param patience: how long the database is waited for.
    :raises InputError: a parameter, a configuration option or the connection is wrong.
    :raises HistoryError: the database cannot be used.
    """
    conn_id = history_conn_id_of(operator)
    caps, own_caps = _caps(operator, configured=bool(conn_id))
    _check_ledger(operator)
    if not conn_id:
        return TaskHistory()
    from airflow_provider_campaigns.history.connection import open_history

    history = open_history(conn_id, partial(patience.run, what=f"The history database {conn_id!r}"))
    return TaskHistory(history, caps, own_caps, _task_key(context.get("ti")), operator.ledger or "history")


def check_history(operator: UsesHistory) -> None:
    """
    Refuse parameters and options that a delivery would refuse, for a preview, which needs no database.

    :raises InputError: one of them is wrong.
    """
    _caps(operator, configured=bool(history_conn_id_of(operator)))
    _check_ledger(operator)


def account_of(hook: Any) -> str:
    """Return what the account of a connection is called in the history."""
    return " ".join(str(value) for name, value in sorted(hook.identity.items()) if name != "vendor")


class NamesHistory(Protocol):
    """The parameter of an operator that names the history database."""

    history_conn_id: str | None


def history_conn_id_of(operator: NamesHistory) -> str:
    """Return the id of the connection to the history database, empty when there is none."""
    return setting("history_conn_id") if operator.history_conn_id is None else operator.history_conn_id


def _check_ledger(operator: UsesHistory) -> None:
    check_ledger(operator.ledger)
    if operator.ledger == "history" and not history_conn_id_of(operator):
        raise InputError("ledger", NEEDED, "neither")


def _caps(operator: UsesHistory, *, configured: bool) -> tuple[Sequence[Cap], bool]:
    """
    Return the caps that hold for a task, and whether they are its own.

    :param configured: there is a history database.
    :raises InputError: they are no caps, or there is no database to count in.
    """
    field, value = "frequency_cap", operator.frequency_cap
    if value is None:
        field, value = "[campaigns] frequency_cap", setting("frequency_cap")
    if not value:
        return (), False
    from airflow_provider_campaigns.history.caps import parse_caps

    caps = parse_caps(value, field)
    if caps and not configured:
        raise InputError(field, NEEDED, "neither")
    return caps, field == "frequency_cap"


def may_keep_ledger(state: Store) -> bool:
    """Whether the ledger of a task whose history could not be opened may be kept in Airflow's state: it is there."""
    with suppress(Exception):
        return state.get(PLACE) is None
    return False


def note_end(history: ContactHistory, state: Literal["complete", "incomplete"], receipt: Any) -> None:
    """Note how a try ended; the delivery itself does not depend on it."""
    try:
        history.end(state, receipt)
    except CampaignError as error:
        log.warning("How the delivery ended could not be noted: %s", error)


def _task_key(ti: Any) -> TaskKey:
    from airflow_provider_campaigns.history.deliveries import TaskKey

    if ti is None:
        return TaskKey("", uuid.uuid4().hex, "", -1)
    index = ti.map_index
    return TaskKey(ti.dag_id, ti.run_id, ti.task_id, -1 if index is None else index)
