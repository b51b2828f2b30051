"""What the delivering operators share: contacts in, every one sent at most once, a receipt out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, get_args

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import DeliveryError, InputError, LedgerError, SendWindowClosedError
from airflow_provider_campaigns.links.campaign import CampaignLink
from airflow_provider_campaigns.links.stored import StoredLink
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.operators.base.contacts import (
    OnEmpty,
    check_given,
    check_number,
    check_on_empty,
    open_contacts,
    open_reading,
    skips_when_empty,
)
from airflow_provider_campaigns.operators.base.outlets import publish_receipt, store_receipt
from airflow_provider_campaigns.operators.base.task_records import RESEND_ALL, TaskRecords, open_task_records
from airflow_provider_campaigns.operators.base.timing import hours_of, wait_or_skip
from airflow_provider_campaigns.parameters import (
    parse_bool,
    parse_count,
    parse_count_or_share,
    parse_positive_int,
)
from airflow_provider_campaigns.state.cleared import OnCleared, check_on_cleared, clearing
from airflow_provider_campaigns.templating.hidden_field import HiddenField, unwrap
from airflow_provider_campaigns.templating.operator import TemplatedOperator
from airflow_provider_campaigns.vendor_hook import Hook_co, WithHook

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.delivery.plan.batches import Reading
    from airflow_provider_campaigns.delivery.plan.preflight import PreflightResult
    from airflow_provider_campaigns.delivery.plan.sources import Source
    from airflow_provider_campaigns.delivery.plan.sources.query import Query
    from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
    from airflow_provider_campaigns.delivery.record.receipt import PreviewReceipt, Receipt
    from airflow_provider_campaigns.delivery.run.engine import Delivery
    from airflow_provider_campaigns.delivery.run.limits import Limits
    from airflow_provider_campaigns.delivery.run.progress import DeliveryProgress
    from airflow_provider_campaigns.operators.base.send_window import SendWindow
    from airflow_provider_campaigns.operators.base.timing import OutsideWindow
    from airflow_provider_campaigns.protocol.send import Send
    from airflow_provider_campaigns.state.shards import ShardRegister

OnUnknown = Literal["fail", "skip", "resend"]

DEFAULT_MAX_INVALID = 0.5
DEFAULT_MAX_RESENDS = 3
SINGLE_CONCURRENCY = 16
BATCH_CONCURRENCY = 2


class CampaignDeliveryOperator(WithHook[Hook_co], TemplatedOperator):
    """
    Base of the operators that deliver contacts to a campaign.

    Whatever crashes, a retry or a cleared task never sends to a contact again by itself: before each request the
    operator stores what it is about to send, and afterwards what became of it. Requests are sent evenly, at most as
    many a minute as the connection's ``requests_per_minute`` says, or else the vendor's page of the call.

    :param contacts: who is contacted: a list of dicts (also an upstream task's output); a table (pandas, polars,
        pyarrow); the path or URL of a file (.csv, .tsv, .txt, .jsonl, .json, also as .gz or .zip; .parquet, .xlsx), or
        of a folder of part files, or a pattern (``*``) of such; or a list of paths. This, or ``sql`` (templated)
    :param encoding: of text files that are neither UTF-8 nor begin with a byte order mark, e.g. ``"cp1252"``; in
        ``exclude`` it counts for files that are no UTF-8 (templated)
    :param delimiter: between the columns of text files; default: found from the file. Not for ``exclude`` (templated)
    :param on_empty: no contacts at all: ``"fail"`` (default), or ``"skip"`` the task (templated)
    :param sql: a query that returns one contact per row, or the path of a .sql file with one. The first try copies the
        result to where the outcomes are kept, and later tries read the copy. Shown as it is in the Rendered Templates
        view, so no place for personal data (templated)
    :param sql_conn_id: id of the Airflow connection to the database, of any provider with a ``DbApiHook`` (templated)
    :param columns: ``{vendor field: source column}``; only these are sent. Default: every column, as it is named
        (templated)
    :param exclude: who must not be contacted (opt-outs), in the same forms as ``contacts``; such contacts end as
        ``invalid`` (templated)
    :param batch_size: contacts per request, at most what the vendor takes; default that.
    :param max_concurrency: requests in flight, and how many unknown outcomes in a row count as the vendor being ill.
        Default 16, but 2 for batches that are not safe to resend.
    :param outcomes_path: folder, path or URL, below which a folder ``<dag>/<run>/<task>[/<map index>]`` gets the
        outcomes; must be shared between the machines that run this task. Required above 500 contacts; without it the
        outcomes go to the XCom ``outcomes`` (templated)
    :param max_recipients: refuse to send at all when there are more contacts; default no limit (templated)
    :param max_rejected: stop when the vendor rejected more: a number of contacts (int) or a share of those sent
        (float, from the hundredth on); default no limit (templated)
    :param max_invalid: fail when more contacts are invalid: a number (int) or a share of all (float, from the tenth
        on). Contacts that are left out on purpose (``exclude``, ``only_recipients``) do not count. Up to 10,000
        contacts it fails before the first request, else as soon as it is certain. Default 0.5; None for no limit
        (templated)
    :param allow_repeats: send again to a contact that the source repeats; default False: it ends as ``duplicate``.
    :param on_unknown: contacts of which it is not known whether they were reached (a time-out, a crash): ``"fail"``
        (default) delivers the rest, then fails for good; ``"skip"`` keeps them ``unknown``; ``"resend"`` sends to them
        again (templated)
    :param max_resends: how often ``on_unknown="resend"`` sends to one contact again, over all tries; default 3
        (templated)
    :param on_cleared: a cleared task: ``"resume"`` (default) sends only what was not sent; ``"resend"`` sends to
        everybody again (templated)
    :param send_window: hours at which contacts may be sent: ``"09:00-20:00 Asia/Kolkata"``, or a dict with ``start``,
        ``end``, ``timezone`` and perhaps ``days`` (``["mon", "tue"]``). A delivery that is under way when it closes
        ends there; the rest is sent when it opens. Default: at any hour (templated)
    :param outside_window: outside ``send_window`` the task waits in the triggerer (``"wait"``, default), or is skipped
        (``"skip"``) (templated)
    :param max_age: refuse a run whose data interval ended longer ago (a ``timedelta``), so that a catch-up or backfill
        cannot contact everybody again; default no limit. It does not apply to a task that waited for its window, nor
        once something was sent.
    :param preview: do everything but send; shows the first request in the log, recipients masked, and returns a receipt
        in which those that would be sent are ``unsent``, with ``first_rows``: the first five of them, masked.
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
        self.preview = preview
        self._delivering: Delivery | None = None
        self._progress: DeliveryProgress | None = None
        self._killed = False
        self._closes_in: Callable[[], float] = lambda: math.inf

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
        if parse_bool("preview", self.preview):
            return self._show(context)
        try:
            # First of all: so that a task that fails at a mistake, and is cleared, is known to have sent nothing.
            records = open_task_records(context, self.retries, self.on_cleared, self.outcomes_path, waited=waited)
            return self._resume(records, context, waited=waited)
        except DeliveryError as error:
            self._explain(error, context)
            if error.final:
                raise AirflowFailException(str(error)) from error
            raise

    def _resume(self, records: TaskRecords, context: Context, *, waited: bool) -> Receipt:
        """Send what earlier tries did not send, and report it."""
        self._check_choices()
        send = self.make_send()
        header = self._header(send, records.outcomes)
        # A delivery that is complete needs no window.
        window = None if records.ledger.receipt else self._open_window(context, records, waited=waited)
        shard = None
        with skips_when_empty(self.on_empty, sent=records.ledger.may_have_reached):
            delivery = self._delivery(send, records)
            if not delivery.is_complete(header):
                if records.ledger.receipt:
                    window = self._open_window(context, records, waited=waited)
                self._preflight(delivery, context)
                shard = self._claim_shard(delivery, context)
        CampaignLink.store(context, self.hook.campaign_url(send.campaign))
        try:
            receipt = delivery.deliver(header)
        except LedgerError:
            raise
        except BaseException as error:
            if delivery.begun:
                self._report_unsent(delivery, context)
            if window and isinstance(error, SendWindowClosedError):
                wait_or_skip(self, window)
            raise
        finally:
            if shard and not records.ledger.may_have_reached:
                shard.release(records.ledger.shard)
        return self._finish(receipt, delivery, context)

    def on_kill(self) -> None:
        """Send no further request; those in flight are still settled."""
        # It may come while the contacts are still looked through.
        self._killed = True
        if self._delivering:
            self._delivering.end("the task was killed")

    def _open_window(self, context: Context, records: TaskRecords, *, waited: bool) -> SendWindow | None:
        """Return the hours at which this run may send, None for all; defer or skip when it may not send now."""
        waited = waited or records.ledger.may_have_reached
        window, self._closes_in = hours_of(self, context, waited=waited, send_at=self.sends_at())
        return window

    def _delivery(self, send: Send, records: TaskRecords) -> Delivery:
        from airflow_provider_campaigns.delivery.plan.sources.copies import copied
        from airflow_provider_campaigns.delivery.run.engine import Delivery
        from airflow_provider_campaigns.delivery.run.senders import ThreadedSenders
        from airflow_provider_campaigns.protocol.send import Concludes

        reading, source = self._contacts(send, partial(copied, records.ledger, records.copies))
        default = SINGLE_CONCURRENCY if send.batch_limit == 1 or send.safe_to_resend else BATCH_CONCURRENCY
        concurrency = parse_positive_int("max_concurrency", self.max_concurrency) or default
        per_minute = self.hook.requests_per_minute(send.requests_per_minute)
        if per_minute:
            self.log.info("Requests are sent evenly, at most %g a minute", per_minute)
        return Delivery(
            send=send,
            reading=reading,
            source=source,
            ledger=records.ledger,
            outcomes=records.outcomes,
            senders=ThreadedSenders(
                send,
                self.hook.sending_transport(concurrency),
                concurrency,
                per_minute,
                lambda: self._closes_in(),  # noqa: PLW0108 - it changes
            ),
            batch_size=self._batch_size(send),
            max_concurrency=concurrency,
            limits=self._limits(records.ledger.on_unknown),
            whole=records.mapped,
            conclude=lambda: self.hook.run(send.conclude()) if isinstance(send, Concludes) else None,
            closes_in=lambda: self._closes_in(),  # noqa: PLW0108
        )

    def _preflight(self, delivery: Delivery, context: Context) -> None:
        """Check everything that can be checked before the first request, and get ready to send."""
        from airflow_provider_campaigns.delivery.run.progress import DeliveryProgress
        from airflow_provider_campaigns.state.task_state import progress_note

        rows = delivery.checked.rows
        self._check_number(delivery.checked, delivery.reading, delivery.source)
        self.log.info("Delivering %s rows of %s to %s", f"{rows:,}", delivery.source.name, delivery.send.campaign)
        self._progress = delivery.progress = DeliveryProgress(rows, progress_note(context))
        self._delivering = delivery
        if self._killed:
            self.on_kill()

    def _claim_shard(self, delivery: Delivery, context: Context) -> ShardRegister | None:
        """
        Note that this map index sends these contacts.

        :return: the register of shards, None for a task that is not mapped.
        :raises LedgerError: another map index of this run sent them, or is sending them.
        """
        from airflow_provider_campaigns.state.shards import shard_register

        cleared = clearing(context.get("ti"), self.retries, self.on_cleared).cleared
        register, ledger = shard_register(context, cleared=cleared), delivery.ledger
        if register is None:
            return None
        contacts = delivery.checked.whole
        if ledger.shard and ledger.shard != contacts and not ledger.may_have_reached:
            register.release(ledger.shard)
        other = None if ledger.resend else register.other_owner(contacts)
        if other is not None:
            raise LedgerError(
                f"{delivery.source.name}: map index {other} of this task sends, or sent, these contacts. Nothing was "
                f"sent. Give each map index the contacts that it had (see 'Mapped tasks' in docs/identity.md), or "
                f"clear the task with on_cleared='resend' to send to everybody again",
                remedy=RESEND_ALL,
            )
        register.claim(contacts)
        ledger.shard = contacts
        return register

    def _contacts(self, send: Send, copy: Callable[[Query], Source]) -> tuple[Reading, Source]:
        """
        Return how rows become contacts, and the rows.

        :param copy: makes a copy of a query's result, or finds the one that was made.
        """
        from airflow_provider_campaigns.delivery.plan.sources.options import parse_options

        repeats = parse_bool("allow_repeats", self.allow_repeats)
        exclude = unwrap(self.exclude)
        options = parse_options(self.encoding, self.delimiter)
        reading = open_reading(
            send,
            self.hook,
            columns=self.columns,
            exclude=exclude,
            allow_repeats=repeats,
            encoding=options.encoding,
        )
        return reading, open_contacts(unwrap(self.contacts), self.sql, self.sql_conn_id, copy, options)

    def _check_number(self, checked: PreflightResult, reading: Reading, source: Source) -> None:
        check_number(checked, reading, source, max_recipients=self.max_recipients, outcomes_path=self.outcomes_path)

    def _check_choices(self) -> None:
        check_given(unwrap(self.contacts), self.sql, self.sql_conn_id)
        if self.on_unknown not in get_args(OnUnknown):
            raise InputError("on_unknown", " or ".join(get_args(OnUnknown)), repr(self.on_unknown))
        check_on_cleared(self.on_cleared)
        check_on_empty(self.on_empty)
        if self.columns is None:
            return
        if not isinstance(self.columns, Mapping):
            raise InputError("columns", "a dict {vendor field: source column}", type(self.columns).__name__)
        for name, column in self.columns.items():
            if not isinstance(name, str) or not isinstance(column, str):
                raise InputError("columns", "names as text", f"{name!r}: {column!r}")

    def _batch_size(self, send: Send) -> int:
        size = parse_positive_int("batch_size", self.batch_size) or send.batch_limit
        if size > send.batch_limit:
            raise InputError("batch_size", f"at most {send.batch_limit}, which is what one call takes", size)
        return size

    def _limits(self, on_unknown: str = "") -> Limits:
        """
        Return what makes a failure.

        :param on_unknown: what a person chose for this task instance; empty: nothing.
        """
        from airflow_provider_campaigns.delivery.run.limits import Limits

        return Limits(
            cast("OnUnknown", on_unknown or self.on_unknown),
            parse_count_or_share("max_rejected", self.max_rejected),
            parse_count_or_share("max_invalid", self.max_invalid),
            parse_count("max_resends", self.max_resends, DEFAULT_MAX_RESENDS),
        )

    def _header(self, send: Send, outcomes: Outcomes) -> dict[str, Any]:
        """Return what must be the same on every try of this delivery, and a digest of what else is sent."""
        from airflow_provider_campaigns.delivery.record.ledger import PARAMETERS

        names = sorted(set(self.template_fields) - set(CampaignDeliveryOperator.template_fields))
        values = {name: unwrap(getattr(self, name)) for name in ("columns", *names)}
        text = json.dumps(values, sort_keys=True, default=str)
        parameters = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return {
            **self.hook.identity,
            **send.identity,
            "outcomes_path": outcomes.path,
            PARAMETERS: parameters,
        }

    def _finish(self, receipt: Receipt, delivery: Delivery, context: Context) -> Receipt:
        """Report a delivery that came to its end, and fail if that is no success."""
        self._report(receipt, delivery.outcomes, context)
        self._warn(delivery)
        counts, ledger = delivery.counts, delivery.ledger
        error = delivery.limits.failure(
            receipt,
            delivery.first_rejection,
            repeated=counts["repeated"],
            left_out=counts["left_out"],
            most_resends=ledger.most_resends,
        )
        if error:
            error.add(f"Outcomes: {delivery.outcomes.path or 'XCom outcomes'}")
            raise error
        publish_receipt(context, self.outlets, receipt)
        return receipt

    def _explain(self, error: DeliveryError, context: Context) -> None:
        """Add to an error how a person chooses what it advises without editing the DAG."""
        from airflow_provider_campaigns.state.overrides import instructions

        if error.remedy and (ti := context.get("ti")):
            error.add(instructions(ti, error.remedy))

    def _report_unsent(self, delivery: Delivery, context: Context) -> None:
        """Report a delivery that ended early; what goes wrong here must not hide why it ended."""
        try:
            self._report(delivery.report_unsent(), delivery.outcomes, context)
            self._warn(delivery)
        except Exception:
            self.log.warning("It could not be reported which contacts are unsent", exc_info=True)

    def _report(self, receipt: Receipt, outcomes: Outcomes, context: Context) -> None:
        """Log the receipt; store it, and outcomes that are in no folder, as XComs also when the task fails."""
        self.log.info("Receipt: %s", ", ".join(f"{name} {value}" for name, value in receipt.items()))
        if self._progress:
            self._progress.end(receipt)
        store_receipt(context, receipt, outcomes)

    def _warn(self, delivery: Delivery) -> None:
        """Log why contacts were not accepted."""
        for reason in delivery.reasons():
            self.log.warning("%s", reason)

    def _show(self, context: Context) -> PreviewReceipt:
        """Log the first request, recipients masked, and return the receipt of a delivery that sent nothing."""
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from airflow_provider_campaigns.delivery.plan.preflight import check
        from airflow_provider_campaigns.delivery.plan.preview import preview
        from airflow_provider_campaigns.delivery.plan.sources.copies import CopyFolder
        from airflow_provider_campaigns.delivery.record.receipt import PreviewReceipt, make_receipt

        self._check_choices()
        self._limits()
        send = self.make_send()
        size = self._batch_size(send)
        with TemporaryDirectory() as folder, skips_when_empty(self.on_empty):
            reading, source = self._contacts(send, CopyFolder(Path(folder)).make)
            self._check_number(check(reading, source), reading, source)
            shown = preview(send, reading, source, size)
        self.log.info("Preview, nothing is sent. First request:\n%s", mask(shown.request, self.hook.secrets))
        normalised = reading.tally.normalised
        receipt = make_receipt(send.vendor, send.campaign, shown.counts, 0, None, normalised=normalised)
        publish_receipt(context, self.outlets, receipt)
        rows = [{name: mask(text, self.hook.secrets) for name, text in row.items()} for row in shown.rows]
        return PreviewReceipt(**receipt, first_rows=rows)
