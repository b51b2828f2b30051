"""Operator that keeps the suppression list: people whom no delivery contacts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.identity import Kind, known_region
from airflow_provider_campaigns.operators.base.contacts import check_given, open_contacts
from airflow_provider_campaigns.operators.base.task_history import history_conn_id_of
from airflow_provider_campaigns.parameters import only_one, parse_datetime
from airflow_provider_campaigns.templating.hidden_field import HiddenField, unwrap
from airflow_provider_campaigns.templating.operator import TemplatedOperator

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.delivery.plan.sources import Source
    from airflow_provider_campaigns.identity import Person

Action = Literal["add", "remove"]


class UpdateSuppressionListOperator(TemplatedOperator):
    """
    Put people on the suppression list of a history database, or take them off it.

    If a value cannot be read as one person, nothing is changed. The operator is idempotent.

    :param contacts: the people: a list of values or of dicts, a table, or the path or URL of a file, in the forms that
        ``contacts`` of a delivering operator has. Exactly one of this, ``sql`` and ``opt_outs_conn_id`` (templated)
    :param sql: a query that returns a person per row (templated)
    :param sql_conn_id: id of the Airflow connection to the database (templated)
    :param opt_outs_conn_id: id of an Airflow connection to a vendor that says who opted out: ``xtremepush``. Whoever
        opted out there, and did not opt in again, is added. It removes nobody from the list (templated)
    :param since: with ``opt_outs_conn_id``, only later changes: a datetime with a time zone, or ISO text with an offset
        (templated)
    :param kind: what identifies a person: ``"phone"``, ``"email"`` or ``"id"`` (templated)
    :param column: the column with it; default: the only one, or the vendor's (``user_id``, ``email_address`` at
        Xtremepush) (templated)
    :param region: country of phone numbers without ``+``, two letters (templated)
    :param action: ``"add"`` (default) or ``"remove"`` (templated)
    :param reason: why, for people who read the list (templated)
    :param history_conn_id: id of the Airflow connection to the history database; default
        ``[campaigns] history_conn_id`` (templated)
    :return: ``{"people": how many were given, "changed": how many were added or removed}``.
    :raises InputError: bad input; the list is as it was.
    :raises HistoryError: the database cannot be used.
    """

    template_fields: Sequence[str] = (
        "contacts",
        "sql",
        "sql_conn_id",
        "opt_outs_conn_id",
        "since",
        "kind",
        "column",
        "region",
        "action",
        "reason",
        "history_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#e8f1fb"

    contacts = HiddenField("contacts")

    def __init__(
        self,
        *,
        contacts: Any = None,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        opt_outs_conn_id: str | None = None,
        since: datetime | str | None = None,
        kind: Kind,
        column: str | None = None,
        region: str | None = None,
        action: Action = "add",
        reason: str = "",
        history_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.contacts = contacts
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.opt_outs_conn_id = opt_outs_conn_id
        self.since = since
        self.kind = kind
        self.column = column
        self.region = region
        self.action = action
        self.reason = reason
        self.history_conn_id = history_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Change the list."""
        from airflow_provider_campaigns.delivery.plan.sources.copies import CopyFolder
        from airflow_provider_campaigns.delivery.plan.sources.options import Options
        from airflow_provider_campaigns.history import suppression
        from airflow_provider_campaigns.history.connection import open_history
        from airflow_provider_campaigns.operators.base.opt_outs import read_opt_outs

        self._check()
        conn_id = history_conn_id_of(self)
        if not conn_id:
            raise InputError("history_conn_id", "it, or [campaigns] history_conn_id", "neither")
        with TemporaryDirectory() as folder:
            given = unwrap(self.contacts)
            if self.opt_outs_conn_id:
                source = read_opt_outs(
                    self.opt_outs_conn_id,
                    self.kind,
                    folder=Path(folder),
                    field=self.column,
                    region=known_region(self.region),
                    since=parse_datetime("since", self.since) if self.since else None,
                )
            elif self.sql:
                source = open_contacts(given, self.sql, self.sql_conn_id, CopyFolder(Path(folder)).make, Options())
            else:
                source = _open(given)
            # All of it is read before anything is changed.
            number = sum(1 for _ in self._people(source))
            history = open_history(conn_id)
            try:
                if self.action == "add":
                    changed = suppression.add(
                        history, self._people(source), reason=self.reason, source=f"{self.dag_id}.{self.task_id}"
                    )
                else:
                    changed = suppression.remove(history, self._people(source))
            finally:
                history.database.engine.dispose()
        self.log.info("Suppression list: %s people given, %s changed (%s)", f"{number:,}", f"{changed:,}", self.action)
        return {"people": number, "changed": changed}

    def _check(self) -> None:
        if self.opt_outs_conn_id:
            only_one({"contacts": unwrap(self.contacts), "sql": self.sql, "opt_outs_conn_id": self.opt_outs_conn_id})
            if self.action == "remove":
                raise InputError("action", "add, with opt_outs_conn_id: who opted out is added", "remove")
        else:
            check_given(unwrap(self.contacts), self.sql, self.sql_conn_id)
        for name, value, choices in (("kind", self.kind, Kind), ("action", self.action, Action)):
            if value not in get_args(choices):
                raise InputError(name, " or ".join(get_args(choices)), repr(value))
        known_region(self.region)

    def _people(self, source: Source) -> Iterator[Person]:
        from airflow_provider_campaigns.delivery.plan.sources.one_column import values_of
        from airflow_provider_campaigns.history.suppression import read_people

        return read_people(values_of(source, self.column), self.kind, known_region(self.region), source.name)


def _open(contacts: Any) -> Source:
    from airflow_provider_campaigns.delivery.plan.sources import open_source

    return open_source(contacts, plain=True)
