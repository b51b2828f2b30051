"""What the delivering operators share: contacts in, every one sent at most once, a receipt out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, get_args

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_campaigns.exceptions import DeliveryError, InputError, LedgerError, SendWindowClosedError
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.operators.cleared import OnCleared, check_on_cleared, generation
from airflow_provider_campaigns.operators.hidden import HiddenField, shown
from airflow_provider_campaigns.operators.outlets import announce
from airflow_provider_campaigns.operators.rendered import whole_number

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.delivery.batches import Reading
    from airflow_provider_campaigns.delivery.engine import Delivery
    from airflow_provider_campaigns.delivery.ledger import Ledger, Store
    from airflow_provider_campaigns.delivery.outcomes import Outcomes
    from airflow_provider_campaigns.delivery.progress import DeliveryProgress
    from airflow_provider_campaigns.delivery.receipt import Receipt
    from airflow_provider_campaigns.delivery.sources import Source
    from airflow_provider_campaigns.delivery.verdicts import Limits
    from airflow_provider_campaigns.delivery.window import SendWindow
    from airflow_provider_campaigns.hooks.base import CampaignHook
    from airflow_provider_campaigns.operators.timing import OutsideWindow
    from airflow_provider_campaigns.protocol.sending import Send

OnUnknown = Literal["fail", "skip", "resend"]

# Up to so many contacts the outcomes fit into an XCom.
MOST_OUTCOMES_IN_XCOM = 500
SINGLE_CONCURRENCY = 16
BATCH_CONCURRENCY = 2


class CampaignDeliveryOperator(BaseOperator):
    """
    Base of the operators that deliver contacts to a campaign.

    Whatever crashes, a retry or a cleared task never sends to a contact again by itself: before each request the
    operator stores what it is about to send, and afterwards what became of it. Requests leave evenly, at most as many a
    minute as the connection's ``requests_per_minute`` says, or else the vendor's page of the call.

    :param contacts: who is contacted: a list of dicts (also an upstream task's output), or the path or URL of a .csv,
        .jsonl or .json file (templated)
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
    :param max_recipients: refuse to send at all when there are more contacts; default no limit.
    :param max_rejected: stop when the vendor rejected more: a number of contacts (int) or a share of those sent
        (float, looked at from the hundredth on); default no limit.
    :param allow_repeats: send again to a contact that the source repeats; default False: it ends as ``duplicate``.
    :param on_unknown: contacts of which nobody knows whether they were reached (a time-out, a crash): ``"fail"``
        (default) delivers the rest, then fails for good; ``"skip"`` leaves them; ``"resend"`` sends to them again.
    :param on_cleared: a cleared task: ``"resume"`` (default) sends only what was not sent; ``"resend"`` sends to
        everybody again.
    :param send_window: hours at which contacts may be sent: ``"09:00-20:00 Asia/Kolkata"``, or a dict with ``start``,
        ``end``, ``timezone`` and perhaps ``days`` (``["mon", "tue"]``). A delivery that is under way when it closes
        ends there; what is left goes on when it opens. Default: at any hour (templated)
    :param outside_window: outside ``send_window`` the task waits in the triggerer (``"wait"``, default), or is skipped
        (``"skip"``) (templated)
    :param max_age: refuse a run whose data interval ended longer ago (a ``timedelta``), so that a catch-up or backfill
        cannot contact everybody again; default no limit. A task that waited for its window is not looked at again.
    :param preview: do everything but send; shows the first request in the log, recipients masked.
    :return: a receipt: ``vendor``, ``campaign``, counts by status, ``requests``, ``outcomes_path``. It is also the
        ``extra`` of the outlet assets' events.
    :raises InputError: bad input; nothing was sent.
    :raises AirflowFailException: a retry cannot help; the message says what to do.
    """

    template_fields: Sequence[str] = (
        "contacts",
        "columns",
        "exclude",
        "outcomes_path",
        "max_recipients",
        "max_rejected",
        "on_unknown",
        "on_cleared",
        "send_window",
        "outside_window",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"columns": "json"}
    ui_color = "#e8f1fb"

    contacts = HiddenField("contacts")
    exclude = HiddenField("excluded contacts")

    def __init__(
        self,
        *,
        contacts: Any,
        columns: Mapping[str, str] | None = None,
        exclude: Any = None,
        batch_size: int | None = None,
        max_concurrency: int | None = None,
        outcomes_path: str | None = None,
        max_recipients: int | None = None,
        max_rejected: float | None = None,
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
        self.columns = columns
        self.exclude = exclude
        self.batch_size = batch_size
        self.max_concurrency = max_concurrency
        self.outcomes_path = outcomes_path
        self.max_recipients = max_recipients
        self.max_rejected = max_rejected
        self.allow_repeats = allow_repeats
        self.on_unknown = on_unknown
        self.on_cleared = on_cleared
        self.send_window = send_window
        self.outside_window = outside_window
        self.max_age = max_age
        self.preview = preview
        self._delivering: Delivery | None = None
        self._progress: DeliveryProgress | None = None

    @cached_property
    def hook(self) -> CampaignHook:
        """The vendor's hook."""
        raise TypeError("a vendor's operator names its hook")

    def make_send(self) -> Send:
        """
        Return what this operator sends.

        :raises InputError: a parameter is wrong.
        """
        raise TypeError("a vendor's operator makes its send")

    def execute(self, context: Context) -> Receipt:
        """Deliver the contacts."""
        return self._execute(context)

    def execute_when_open(self, context: Context, event: Any) -> Receipt:
        """Deliver the contacts, after a wait for ``send_window``."""
        return self._execute(context, waited=True)

    def _execute(self, context: Context, *, waited: bool = False) -> Receipt:
        from airflow_provider_campaigns.delivery.progress import DeliveryProgress
        from airflow_provider_campaigns.operators.state import progress_note

        if self.preview:
            return self._show(context)
        # First of all: so that a task that fails at a mistake, and is cleared, is known to have sent nothing.
        ledger, outcomes = self._records(context)
        self._check_choices()
        send = self.make_send()
        header = self._header(send, outcomes)
        ledger.check(header)
        if ledger.receipt and not (self.on_unknown == "resend" and ledger.receipt["unknown"]):
            self.log.warning("An earlier try of this task came to the end of the contacts; nothing is sent again")
            return self._end(ledger.receipt, ledger, outcomes, context)
        window = self._window(context, waited=waited)
        delivery = self._delivery(send, ledger, outcomes)
        rows = self._check(delivery.reading, delivery.source, delivery.batch_size)
        self.log.info("Delivering %s rows of %s to %s", f"{rows:,}", delivery.source.name, send.campaign)
        self._progress = delivery.progress = DeliveryProgress(rows, progress_note(context))
        if window:
            delivery.closes_in = window.closes_in
        self._delivering = delivery
        try:
            receipt = delivery.deliver(header)
        except LedgerError:
            raise
        except BaseException as error:
            if delivery.begun:
                self._leave(delivery, context)
            if window and isinstance(error, SendWindowClosedError):
                self._stay_out(window)
            if isinstance(error, DeliveryError) and error.final:
                raise AirflowFailException(str(error)) from error
            raise
        return self._end(receipt, ledger, outcomes, context, delivery.first_rejection)

    def on_kill(self) -> None:
        """Let no further request leave; those in flight are still settled."""
        if self._delivering:
            self._delivering.end("the task was killed")

    def _window(self, context: Context, *, waited: bool) -> SendWindow | None:
        """Return the hours at which this run may send, None for all; leave the worker when it may not send now."""
        from airflow_provider_campaigns.operators.timing import refuse_old, window_of

        window = window_of(self.send_window, self.outside_window)
        if not waited:
            refuse_old(self.max_age, context)
        if window and window.closes_in() <= 0:
            self._stay_out(window)
        return window

    def _stay_out(self, window: SendWindow) -> NoReturn:
        """Leave the worker: it is outside ``window``."""
        from airflow_provider_campaigns.operators.timing import wait_or_skip

        wait_or_skip(self, window, self.outside_window, self.execute_when_open.__name__)

    def _records(self, context: Context) -> tuple[Ledger, Outcomes]:
        """Return the ledger of this task instance, in which this try is noted, and where its outcomes go."""
        from airflow_provider_campaigns.delivery.ledger import Ledger
        from airflow_provider_campaigns.delivery.outcomes import OutcomeFolder, OutcomeRecords
        from airflow_provider_campaigns.operators.state import task_state

        store: Store = task_state(context)
        ti = context.get("ti")
        cleared, anew = generation(ti, self.retries, self.on_cleared)
        ledger = Ledger(store, ti.try_number if ti else 1, anew)
        if cleared and anew is None and not ledger.began:
            raise AirflowFailException(
                "This task was cleared, and the record of what its earlier tries sent is gone (expired, or discarded "
                "when it was cleared: see keep_task_state). Nothing was sent. Clear it with on_cleared='resend' to "
                "send to everybody again"
            )
        ledger.begin()
        if not self.outcomes_path:
            return ledger, OutcomeRecords(store, ledger)
        return ledger, OutcomeFolder(self._folder(self.outcomes_path, context, ledger.generation), ledger.try_number)

    @staticmethod
    def _folder(path: str, context: Context, generation: int) -> Any:
        from airflow_provider_campaigns.delivery.storage import locate

        try:
            folder = locate(path)
        except (ImportError, ValueError) as error:
            raise InputError("outcomes_path", "a path, or a URL whose provider is installed", error) from error
        if ti := context.get("ti"):
            names = [ti.dag_id, ti.run_id, ti.task_id]
            if ti.map_index is not None and ti.map_index >= 0:
                names.append(str(ti.map_index))
            for name in names:
                folder = folder / name.replace("/", "_")
        return folder / f"resend-{generation}" if generation else folder

    def _delivery(self, send: Send, ledger: Ledger, outcomes: Outcomes) -> Delivery:
        from airflow_provider_campaigns.delivery.engine import Delivery
        from airflow_provider_campaigns.delivery.senders import ThreadedSenders

        reading, source = self._reading(send)
        default = SINGLE_CONCURRENCY if send.batch_limit == 1 or send.safe_to_resend else BATCH_CONCURRENCY
        concurrency = whole_number("max_concurrency", self.max_concurrency) or default
        per_minute = self.hook.requests_per_minute(send.requests_per_minute)
        if per_minute:
            self.log.info("Requests leave evenly, at most %g a minute", per_minute)
        return Delivery(
            send=send,
            reading=reading,
            source=source,
            ledger=ledger,
            outcomes=outcomes,
            senders=ThreadedSenders(send, self.hook.sending_transport(concurrency), concurrency, per_minute),
            batch_size=self._batch_size(send),
            max_concurrency=concurrency,
            limits=self._limits(),
        )

    def _reading(self, send: Send) -> tuple[Reading, Source]:
        from dataclasses import replace

        from airflow_provider_campaigns.delivery.batches import Reading, excluded_keys
        from airflow_provider_campaigns.delivery.sources import open_source

        reading = Reading(
            send, self.columns, only_recipients=self.hook.only_recipients, allow_repeats=self.allow_repeats
        )
        if self.exclude is not None:
            exclude = open_source(shown(self.exclude), "exclude", plain=True)
            reading = replace(reading, excluded=excluded_keys(exclude, reading))
        return reading, open_source(shown(self.contacts))

    def _check(self, reading: Reading, source: Source, batch_size: int) -> int:
        """Refuse what must not even begin, and return the number of rows."""
        source.require(reading.required())
        rows = source.count()
        if rows > MOST_OUTCOMES_IN_XCOM and not self.outcomes_path:
            raise InputError(
                "outcomes_path", f"a folder for more than {MOST_OUTCOMES_IN_XCOM} contacts", f"{rows} rows"
            )
        most = whole_number("max_recipients", self.max_recipients)
        if most is not None and rows > most:
            recipients = sum(len(batch.contacts) for batch in reading.batches(source, batch_size))
            if recipients > most:
                raise InputError(source.name, f"at most {most} contacts to be sent to (max_recipients)", recipients)
        return rows

    def _check_choices(self) -> None:
        if self.on_unknown not in get_args(OnUnknown):
            raise InputError("on_unknown", " or ".join(get_args(OnUnknown)), repr(self.on_unknown))
        check_on_cleared(self.on_cleared)
        if self.columns is not None and not isinstance(self.columns, Mapping):
            raise InputError("columns", "a dict {vendor field: source column}", type(self.columns).__name__)

    def _batch_size(self, send: Send) -> int:
        size = whole_number("batch_size", self.batch_size) or send.batch_limit
        if size > send.batch_limit:
            raise InputError("batch_size", f"at most {send.batch_limit}, which is what one call takes", size)
        return size

    def _limits(self) -> Limits:
        """Return what makes a failure; a template may have rendered ``max_rejected`` as text."""
        from airflow_provider_campaigns.delivery.verdicts import Limits

        limit: Any = self.max_rejected
        if isinstance(limit, str):
            with suppress(ValueError):
                limit = int(limit) if limit.strip().isdecimal() else float(limit)
        if limit is None or limit == "":
            return Limits(self.on_unknown)
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not limit >= 0:
            raise InputError("max_rejected", "a number of contacts (int) or a share of them (float)", repr(limit))
        return Limits(self.on_unknown, limit)

    def _header(self, send: Send, outcomes: Outcomes) -> dict[str, Any]:
        """Return what must be the same on every try of this delivery."""
        columns = json.dumps(self.columns, sort_keys=True)
        return {**self.hook.identity, **send.identity, "columns": columns, "outcomes_path": outcomes.path}

    def _end(
        self, receipt: Receipt, ledger: Ledger, outcomes: Outcomes, context: Context, first_rejection: str = ""
    ) -> Receipt:
        """Report a delivery that came to its end, and fail if that is no success."""
        self._report(receipt, outcomes, context)
        error = self._limits().failure(receipt, first_rejection, repeated=ledger.counts["repeated"])
        if error and error.final:
            raise AirflowFailException(f"{error}. Outcomes: {outcomes.path or 'XCom outcomes'}") from error
        if error:
            raise error
        announce(context, self.outlets, receipt)
        return receipt

    def _leave(self, delivery: Delivery, context: Context) -> None:
        """Report a delivery that ended early; what goes wrong here must not hide why it ended."""
        try:
            self._report(delivery.leave(), delivery.outcomes, context)
        except Exception:
            self.log.warning("What is left unsent could not be written down", exc_info=True)

    def _report(self, receipt: Receipt, outcomes: Outcomes, context: Context) -> None:
        """Log the receipt; leave it, and outcomes that are in no folder, as XComs also when the task fails."""
        self.log.info("Receipt: %s", ", ".join(f"{name} {value}" for name, value in receipt.items()))
        if self._progress:
            self._progress.end(receipt)
        if ti := context.get("ti"):
            ti.xcom_push(key="receipt", value=dict(receipt))
            if outcomes.path is None:
                ti.xcom_push(key="outcomes", value=list(outcomes.read()))

    def _show(self, context: Context) -> Receipt:
        """Log the first request, recipients masked, and return the receipt of a delivery that sent nothing."""
        from airflow_provider_campaigns.delivery.preview import preview
        from airflow_provider_campaigns.delivery.receipt import make_receipt

        self._check_choices()
        self._limits()
        send = self.make_send()
        reading, source = self._reading(send)
        size = self._batch_size(send)
        self._check(reading, source, size)
        counts, request = preview(send, reading, source, size)
        self.log.info("Preview, nothing is sent. First request:\n%s", mask(request, self.hook.secrets))
        receipt = make_receipt(send.vendor, send.campaign, counts, 0, None)
        announce(context, self.outlets, receipt)
        return receipt
