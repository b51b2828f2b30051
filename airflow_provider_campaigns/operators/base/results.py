"""Reads what became of the contacts of a delivery, in one form for all vendors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, tzinfo
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_campaigns.exceptions import InputError, LedgerError
from airflow_provider_campaigns.parameters import parse_date_or_datetime
from airflow_provider_campaigns.sensors.receipts import read_receipts
from airflow_provider_campaigns.templating.operator import TemplatedOperator
from airflow_provider_campaigns.vendor_hook import Hook_co, WithHook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.operators.base.result_join import Contacted, ResultJoin
    from airflow_provider_campaigns.operators.base.result_target import TableMode
    from airflow_provider_campaigns.vendors.common.results import ContactResult, NameKind

LONGEST_DELIVERY = 500
# Undocumented statuses that are logged by name.
MOST_UNKNOWN = 20


class CampaignResultsOperator(WithHook[Hook_co], TemplatedOperator):
    """
    Base of the operators that write the result of each contact after a delivery, one row per contact.

    A row is ``{"delivery", "row", "key", "vendor_id", "status", "result", "result_at", "details"}``: the contact's
    outcome, and what the vendor reports of it now. Run it again later, and the rows are up to date. ``result`` is
    ``delivered``, ``answered``, ``no_answer``, ``busy``, ``failed``, ``responded``, ``opened``, ``completed``,
    ``bounced``, ``opted_out`` or ``pending``; None for a contact that was not sent.

    What the vendor reports is joined to the outcomes by person, see docs/identity.md. All of it is read before anything
    is written.

    :param receipt: what the task that sent returned (``send.output``), or a list of them, of a mapped task (templated)
    :param output_path: path or URL of a .jsonl, .csv or .parquet file, replaced as a whole; this or ``table``
        (templated)
    :param table: name of a table, perhaps with its schema, made if it is not there (templated)
    :param sql_conn_id: id of the Airflow connection to the database of ``table`` (templated)
    :param table_mode: ``"merge"`` (default) replaces rows with the same ``delivery`` and ``row``, but no result by
        none; ``"append"`` adds rows (templated)
    :param since: ignore what happened earlier: a date, a datetime with a time zone or ISO text; default: when the
        delivery began, if that can be found from the receipt (templated)
    :return: ``{"path" or "table", "count", "results": {result: contacts}}``.
    :raises InputError: bad input, or the file or table cannot be written; nothing was requested.
    :raises LedgerError: the outcomes are damaged.
    :raises VendorError: the vendor refused, or could not be reached; nothing was written.
    """

    ui_color = "#e8f1fb"
    template_fields: Sequence[str] = ("receipt", "output_path", "table", "sql_conn_id", "table_mode", "since")
    template_fields_renderers: ClassVar[dict[str, str]] = {"receipt": "json"}

    kinds: ClassVar[tuple[NameKind, ...]]
    """What the keys of the vendor's contacts are."""
    campaign_fields: ClassVar[tuple[str, ...]] = ("campaign",)
    """The field of a receipt that names the campaign, the first that is there."""
    zone: ClassVar[tzinfo] = UTC
    """Time zone of the vendor's days."""
    region: str | None = None
    """Country of phone numbers without ``+``; default the connection's."""

    def __init__(
        self,
        *,
        receipt: Any,
        output_path: str | None = None,
        table: str | None = None,
        sql_conn_id: str | None = None,
        table_mode: TableMode = "merge",
        since: date | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.receipt = receipt
        self.output_path = output_path
        self.table = table
        self.sql_conn_id = sql_conn_id
        self.table_mode = table_mode
        self.since = since

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the outcomes and the vendor's list, and write the rows."""
        from airflow_provider_campaigns.identity import known_region
        from airflow_provider_campaigns.operators.base.result_join import ResultJoin
        from airflow_provider_campaigns.operators.base.result_target import open_target

        receipts = read_receipts(self.receipt, self.hook.conn_type)
        since = self._since(context, receipts)
        target = open_target(self.output_path, self.table, self.sql_conn_id, self.table_mode)
        with ResultJoin(self.kinds, known_region(self.region) or self.hook.region) as join:
            campaigns = dict.fromkeys(map(self.campaign_of, receipts))
            for receipt in receipts:
                self.add_contacts(join, self.campaign_of(receipt), receipt)
            for campaign in campaigns:
                self._add_results(join, campaign, since)
            count = target.write(join.rows())
            results = dict(sorted(join.counts.items()))
        self.log.info("Results of %s contacts: %s", f"{count:,}", results)
        return {**target.name, "count": count, "results": results}

    def campaign_of(self, receipt: Mapping[str, Any]) -> str:
        """
        Return the campaign whose list has the results of a delivery.

        :raises InputError: the receipt names none.
        """
        campaign = next((str(receipt[name]) for name in self.campaign_fields if receipt.get(name)), "")
        if not campaign:
            raise InputError("receipt", f"a receipt with {self.campaign_fields[0]}", "one without")
        return campaign

    def add_contacts(self, join: ResultJoin, campaign: str, receipt: Mapping[str, Any]) -> None:
        """Add the contacts of a delivery: its outcomes."""
        join.add_contacts(campaign, delivery_of(receipt), _contacted(receipt))

    def items(self, campaign: str, since: datetime | None) -> Iterator[Any]:
        """
        Yield what the vendor lists of a campaign.

        :param since: what happened earlier does not count; None: everything does.
        """
        raise TypeError("a vendor's operator lists its items")

    def read(self, item: Mapping[str, Any], since: datetime | None) -> ContactResult:
        """Return what an item says of its contact."""
        raise TypeError("a vendor's operator reads its items")

    def _add_results(self, join: ResultJoin, campaign: str, since: datetime | None) -> None:
        strangers, unknown = 0, set[str]()
        for item in self.items(campaign, since):
            if not isinstance(item, Mapping):
                strangers += 1
                continue
            found = self.read(item, since)
            if found.unknown is not None and len(unknown) < MOST_UNKNOWN:
                unknown.add(found.unknown)
            if since and found.at and found.at < since.replace(microsecond=0):
                continue
            strangers += not join.add_result(campaign, found)
        if unknown:
            self.log.warning("Statuses that are not documented count as pending: %s", _shown(unknown))
        if strangers:
            self.log.info("%s items of the vendor's list are of none of the contacts", f"{strangers:,}")

    def _since(self, context: Context, receipts: Sequence[Mapping[str, Any]]) -> datetime | None:
        """Return from when on results count, None when that is not known: then all do."""
        if self.since:
            since = parse_date_or_datetime("since", self.since)
            return since if isinstance(since, datetime) else datetime.combine(since, time(), self.zone)
        found = [_began(receipt) or _run_began(context, receipt) for receipt in receipts]
        return None if None in found else min(one for one in found if one)


def delivery_of(receipt: Mapping[str, Any]) -> str:
    """Return what a delivery is known by: its folder of outcomes, or the task that sent."""
    if not (name := receipt.get("outcomes_path")):
        task = receipt.get("outcomes_xcom") or {}
        parts = [str(task.get(name, "")) for name in ("dag_id", "run_id", "task_id")]
        name = "/".join([*parts, *([str(task["map_index"])] if task.get("map_index", -1) >= 0 else [])])
    return short(str(name))


def short(delivery: str) -> str:
    """Return a name that a column takes, another one for each ``delivery``."""
    if len(delivery) <= LONGEST_DELIVERY:
        return delivery
    return f"{delivery[: LONGEST_DELIVERY - 33]}-{hashlib.sha256(delivery.encode()).hexdigest()[:32]}"


def _contacted(receipt: Mapping[str, Any]) -> Iterator[Contacted]:
    from airflow_provider_campaigns.delivery import read_outcomes
    from airflow_provider_campaigns.operators.base.result_join import Contacted

    for line in read_outcomes(receipt):
        otherwise = "pending" if line["status"] == "accepted" else None
        yield Contacted(line["row"], line["key"], line["status"], line["vendor_id"], otherwise)  # type: ignore[arg-type]


def _began(receipt: Mapping[str, Any]) -> datetime | None:
    """Return when a delivery began, as its folder of outcomes says."""
    if not (path := receipt.get("outcomes_path")):
        return None
    from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
    from airflow_provider_campaigns.delivery.run.recovery import Description
    from airflow_provider_campaigns.delivery.storage import locate

    with suppress(LedgerError, OSError, ValueError, OverflowError):
        if description := Description.read(OutcomeFolder(locate(path))):
            return datetime.fromtimestamp(description.began, UTC)
    return None


def _run_began(context: Context, receipt: Mapping[str, Any]) -> datetime | None:
    """Return a time before the delivery, if this DAG run sent it; that of a run which was cleared stays the same."""
    task, run = receipt.get("outcomes_xcom") or {}, context.get("dag_run")
    if run is None or (task.get("dag_id"), task.get("run_id")) != (run.dag_id, run.run_id):
        return None
    times = (getattr(run, name, None) for name in ("run_after", "data_interval_end", "logical_date"))
    return min((one for one in times if isinstance(one, datetime)), default=None)


def _shown(words: Iterable[str]) -> str:
    from airflow_provider_campaigns.masking import mask, one_line

    return one_line(mask(", ".join(repr(word[:100]) for word in sorted(words))))
