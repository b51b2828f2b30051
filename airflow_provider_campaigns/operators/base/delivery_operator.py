"""Base of the operators that deliver contacts: each is sent at most once, and a receipt is returned."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import DeliveryError
from airflow_provider_campaigns.links.campaign import CampaignLink
from airflow_provider_campaigns.links.stored import StoredLink
from airflow_provider_campaigns.operators.base.choices import DELIVERY
from airflow_provider_campaigns.operators.base.contacts import check_given
from airflow_provider_campaigns.operators.base.delivery_parameters import (
    DEFAULT_MAX_OUTAGE,
)
from airflow_provider_campaigns.parameters import (
    DEFAULT_MAX_INVALID,
    DEFAULT_MAX_RESENDS,
    LedgerPlace,
    OnUnknown,
    parse_bool,
)
from airflow_provider_campaigns.state.cleared import OnCleared
from airflow_provider_campaigns.templating.hidden_field import HiddenField
from airflow_provider_campaigns.templating.literals import Check, given_literals
from airflow_provider_campaigns.templating.operator import TemplatedOperator
from airflow_provider_campaigns.vendor_hook import Hook_co, WithHook

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
    from airflow_provider_campaigns.delivery.record.receipt import Receipt
    from airflow_provider_campaigns.operators.base.contacts import OnEmpty
    from airflow_provider_campaigns.operators.base.delivery_task import DeliveryTask
    from airflow_provider_campaigns.operators.base.timing import OutsideWindow
    from airflow_provider_campaigns.protocol.send import Send


class CampaignDeliveryOperator(WithHook[Hook_co], TemplatedOperator):
    """
    Base of the operators that deliver contacts to a campaign.

    Whatever crashes, a retry or a cleared task does not send to a contact again: before each request the operator
    stores what it is about to send, and afterwards the outcomes. Requests are spaced evenly, within the connection's
    ``requests_per_minute``, or else the limit that the vendor documents for the call.

    :param contacts: who is contacted: a list of dicts (also an upstream task's output); a table (pandas, polars,
        pyarrow); the path or URL of a file (.csv, .tsv, .txt, .jsonl, .json, also as .gz or .zip; .parquet, .xlsx), of
        a folder of such files, or a pattern (``*``) for them; or a list of paths. Exactly one of ``contacts`` and
        ``sql`` (templated)
    :param encoding: of text files that are not UTF-8 and have no byte order mark, e.g. ``"cp1252"``; in ``exclude`` it
        applies to files that are not UTF-8 (templated)
    :param delimiter: character between the columns of text files in ``contacts``; default: detected (templated)
    :param on_empty: no contacts at all: ``"fail"`` (default), or ``"skip"`` the task (templated)
    :param sql: a query that returns one contact per row, or the path of a .sql file with one. The first try copies the
        result to where the outcomes are stored, and later tries read the copy. Shown as it is in the Rendered Templates
        view: do not put personal data into it (templated)
    :param sql_conn_id: id of the Airflow connection to the database, of any provider with a ``DbApiHook`` (templated)
    :param columns: ``{vendor field: source column}``; only these are sent. Default: every column, as it is named
        (templated)
    :param exclude: who must not be contacted (opt-outs), in the same forms as ``contacts``; such contacts end as
        ``invalid`` (templated)
    :param batch_size: contacts per request; default, and at most, what one call of the vendor takes.
    :param max_concurrency: requests in flight, and the number of consecutive unknown outcomes after which the vendor is
        taken to be unavailable. Default 16, but 2 for batches that are not safe to resend.
    :param outcomes_path: folder, path or URL, below which the outcomes are stored in
        ``<dag>/<run>/<task>[/<map index>]``; must be shared by the machines that may run this task. Required above 500
        contacts; without it the outcomes are the XCom ``outcomes`` (templated)
    :param max_recipients: fail before the first request if more contacts would be sent to; default no limit (templated)
    :param max_rejected: stop and fail when the vendor rejected more: a number of contacts (int), or a share of those
        sent (float; while it runs from the hundredth on, at the end of all); default no limit (templated)
    :param max_invalid: fail when more contacts are invalid: a number (int) or a share of all (float; from ten contacts
        on). Contacts that ``exclude``, ``only_recipients`` or the suppression list rule out do not count. Up to 10,000
        contacts it fails before the first request, else as soon as it is certain. Default 0.5; None for no limit
        (templated)
    :param allow_repeats: send every row of a contact that the source repeats; default False: repeats end as
        ``duplicate``.
    :param on_unknown: contacts that may have been sent to (a time-out, a crash): ``"fail"`` (default) delivers the
        rest, then fails without a retry; ``"skip"`` accepts them as ``unknown``; ``"resend"`` sends to them again
        (templated)
    :param max_resends: how often ``on_unknown="resend"`` sends to one contact again, over all tries; default 3
        (templated)
    :param on_cleared: a cleared task: ``"resume"`` (default) sends only what was not sent; ``"resend"`` sends to
        everybody again (templated)
    :param send_window: hours at which contacts may be sent: ``"09:00-20:00 Asia/Kolkata"``, or a dict with ``start``,
        ``end``, ``timezone`` and optionally ``days`` (``["mon", "tue"]``). A delivery that is running when it closes
        sends no further request; the rest is sent when it opens. Default: at any hour (templated)
    :param outside_window: outside ``send_window`` the task waits in the triggerer (``"wait"``, default), or is skipped
        (``"skip"``) (templated)
    :param max_age: refuse a run whose data interval ended longer ago (a ``timedelta``), so that a catch-up or backfill
        cannot contact everybody again; default no limit. It does not apply to a task that waited for its window, nor
        once something was sent.
    :param max_outage: seconds that the task waits if Airflow (its API server; on Airflow 2 its database) or the history
        database cannot be reached; default 120. Meanwhile no request is begun, and those in flight are awaited.
        Airflow's own attempts are not included: they may take half a minute.
    :param frequency_cap: how often a person may be contacted, over all deliveries with the same history:
        ``"1 per 7 days"``, or a list of such; also ``"3 per 30 days per campaign"`` (``vendor``, ``channel``). Contacts
        over it end as ``capped``. Default: ``[campaigns] frequency_cap``; ``""`` for none (templated)
    :param history_conn_id: id of the Airflow connection to the history database. Default:
        ``[campaigns] history_conn_id``; ``""`` for none (templated)
    :param ledger: where the record of the tries is kept: in the ``"history"`` database (default if there is one), or in
        ``"airflow"``, in its state of the task (templated)
    :param preview: read and check the contacts, send nothing; logs the first request, recipients masked, and returns a
        receipt in which contacts that would be sent are ``unsent``, with ``first_rows``: the first five, masked.
    :return: a receipt: ``vendor``, ``campaign``, counts by status, ``requests``, ``outcomes_path``. It is also the
        ``extra`` of the outlet assets' events.
    :raises InputError: bad input; nothing was sent.
    :raises LedgerError: this would be another delivery than that of earlier tries, or their record is damaged;
        nothing was sent.
    :raises AirflowFailException: a retry cannot help; the message says what to do.
    """

    template_fields: Sequence[str] = (
        "contacts",
        "sql",
        "sql_conn_id",
        "encoding",
        "delimiter",
        "on_empty",
        "columns",
        "exclude",
        "outcomes_path",
        "max_recipients",
        "max_rejected",
        "max_invalid",
        "max_resends",
        "on_unknown",
        "on_cleared",
        "send_window",
        "outside_window",
        "frequency_cap",
        "history_conn_id",
        "ledger",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "columns": "json"}
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#e8f1fb"
    operator_extra_links: Collection[StoredLink] = (CampaignLink(),)

    contacts = HiddenField("contacts")
    exclude = HiddenField("excluded contacts")

    def __init__(
        self,
        *,
        contacts: Any = None,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        on_empty: OnEmpty = "fail",
        columns: Mapping[str, str] | None = None,
        exclude: Any = None,
        batch_size: int | None = None,
        max_concurrency: int | None = None,
        outcomes_path: str | None = None,
        max_recipients: int | None = None,
        max_rejected: float | None = None,
        max_invalid: float | None = DEFAULT_MAX_INVALID,
        max_resends: int = DEFAULT_MAX_RESENDS,
        allow_repeats: bool = False,
        on_unknown: OnUnknown = "fail",
        on_cleared: OnCleared = "resume",
        send_window: str | Mapping[str, Any] | None = None,
        outside_window: OutsideWindow = "wait",
        max_age: timedelta | None = None,
        max_outage: int = DEFAULT_MAX_OUTAGE,
        frequency_cap: str | Sequence[str] | None = None,
        history_conn_id: str | None = None,
        ledger: LedgerPlace | None = None,
        preview: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.contacts = contacts
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.encoding = encoding
        self.delimiter = delimiter
        self.on_empty = on_empty
        self.columns = columns
        self.exclude = exclude
        self.batch_size = batch_size
        self.max_concurrency = max_concurrency
        self.outcomes_path = outcomes_path
        self.max_recipients = max_recipients
        self.max_rejected = max_rejected
        self.max_invalid = max_invalid
        self.max_resends = max_resends
        self.allow_repeats = allow_repeats
        self.on_unknown = on_unknown
        self.on_cleared = on_cleared
        self.send_window = send_window
        self.outside_window = outside_window
        self.max_age = max_age
        self.max_outage = max_outage
        self.frequency_cap = frequency_cap
        self.history_conn_id = history_conn_id
        self.ledger = ledger
        self.preview = preview
        self._task: DeliveryTask | None = None
        self._receipt: Receipt | None = None
        self._killed = False

    def literal_checks(self) -> Mapping[str, Check]:
        """Return what checks parameters that need no connection, by their names."""
        return DELIVERY

    def check_literals(self) -> None:
        """Check parameters that are written into the DAG."""
        super().check_literals()
        self.check_source()

    def check_source(self) -> None:
        """
        Refuse another number of sources than one, as far as the DAG says.

        :raises InputError: it is another.
        """
        given = given_literals(self, ("contacts", "sql", "sql_conn_id"))
        if given and not self._given:
            check_given(given["contacts"], given["sql"], given["sql_conn_id"])

    def make_send(self) -> Send:
        """
        Return what this operator sends.

        :raises InputError: a parameter is wrong.
        """
        raise TypeError("a vendor's operator makes its send")

    def sends_at(self) -> datetime | None:
        """
        Return when the vendor sends what it is given, None: at once.

        :raises InputError: a parameter is wrong.
        """
        return None

    def execute(self, context: Context) -> Receipt:
        """Deliver the contacts."""
        return self._execute(context)

    def execute_when_open(self, context: Context, event: Any) -> Receipt:
        """Deliver the contacts, after a wait for ``send_window``."""
        return self._execute(context, waited=True)

    def _execute(self, context: Context, *, waited: bool = False) -> Receipt:
        from airflow_provider_campaigns.operators.base.delivery_preview import preview_delivery
        from airflow_provider_campaigns.operators.base.delivery_task import DeliveryTask

        if parse_bool("preview", self.preview):
            return preview_delivery(self, context)
        self._task = DeliveryTask(self, context, waited=waited)
        if self._killed:
            self.on_kill()
        try:
            self._receipt = self._task.run()
        except DeliveryError as error:
            self._explain(error, context)
            if error.final:
                raise AirflowFailException(str(error)) from error
            raise
        return self._receipt

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return what was read and where it went, for Airflow's OpenLineage provider; None where that is missing."""
        try:
            from airflow.providers.openlineage.extractors import OperatorLineage

            from airflow_provider_campaigns.operators.base.lineage import lineage_of
        except ImportError:
            return None
        if self._receipt is None:
            return None
        return OperatorLineage(**lineage_of(self, self._receipt)._asdict())

    def on_kill(self) -> None:
        """Send no further request; those in flight are still settled."""
        self._killed = True
        if self._task:
            self._task.end("the task was killed")

    def vendor_fields(self) -> set[str]:
        """Return the names of the parameters that this vendor's operator has beside those of all."""
        return set(self.template_fields) - set(CampaignDeliveryOperator.template_fields)

    def store_links(self, receipt: Receipt, outcomes: Outcomes, context: Context) -> None:
        """Store links to what the vendor made of the contacts; none by default."""

    def _explain(self, error: DeliveryError, context: Context) -> None:
        """Add to an error how a person chooses what it advises without editing the DAG."""
        from airflow_provider_campaigns.state.overrides import instructions

        if error.remedy and (ti := context.get("ti")):
            error.add(instructions(ti, error.remedy))
