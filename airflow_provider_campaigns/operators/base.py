"""What the delivering operators share: contacts in, every one sent at most once, a receipt out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_campaigns.exceptions import DeliveryError, InputError, LedgerError
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.operators.hidden import HiddenField, shown

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.delivery.batches import Reading
    from airflow_provider_campaigns.delivery.engine import Delivery
    from airflow_provider_campaigns.delivery.ledger import Ledger, Store
    from airflow_provider_campaigns.delivery.outcomes import Outcomes
    from airflow_provider_campaigns.delivery.receipt import Receipt
    from airflow_provider_campaigns.delivery.sources import Source
    from airflow_provider_campaigns.delivery.verdicts import Limits
    from airflow_provider_campaigns.hooks.base import CampaignHook
    from airflow_provider_campaigns.protocol.sending import Send

OnUnknown = Literal["fail", "skip", "resend"]
OnCleared = Literal["resume", "resend"]

# Up to so many contacts the outcomes fit into an XCom.
MOST_OUTCOMES_IN_XCOM = 500
SINGLE_CONCURRENCY = 16
BATCH_CONCURRENCY = 2


class CampaignDeliveryOperator(BaseOperator):
    """
    Base of the operators that deliver contacts to a campaign.

    Whatever crashes, a retry or a cleared task never sends to a contact again by itself: before each request the
    operator stores what it is about to send, and afterwards what became of it.

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
    :param preview: do everything but send; shows the first request in the log, recipients masked.
    :return: a receipt: ``vendor``, ``campaign``, counts by status, ``requests``, ``outcomes_path``.
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
        self.preview = preview
        self._delivering: Delivery | None = None

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
        from airflow_provider_campaigns.delivery.verdicts import Limits

        self._check_choices()
        send = self.make_send()
        if self.preview:
            return self._show(send)
        ledger, outcomes = self._records(context)
        limits = Limits(self.on_unknown, self.max_rejected)
        if ledger.receipt and not (self.on_unknown == "resend" and ledger.receipt["unknown"]):
            self.log.info("An earlier try delivered all contacts; nothing is left to send")
            return self._end(ledger.receipt, outcomes, limits, context)
        delivery = self._delivery(send, ledger, outcomes, limits)
        self._check(delivery)
        outcomes.begin()
        self._delivering = delivery
        try:
            receipt = delivery.deliver(self._header(send))
        except LedgerError:
            raise
        except Exception as error:
            self._report(delivery.leave(), outcomes, context)
            if isinstance(error, DeliveryError) and error.final:
                raise AirflowFailException(str(error)) from error
            raise
        return self._end(receipt, outcomes, limits, context, delivery.first_rejection)

    def on_kill(self) -> None:
        """Let no further request leave; what is in flight is still settled."""
        if self._delivering:
            self._delivering.end("the task was killed")

    def _records(self, context: Context) -> tuple[Ledger, Outcomes]:
        """Return the ledger of this task instance and where its outcomes go."""
        from airflow_provider_campaigns.delivery.ledger import Ledger
        from airflow_provider_campaigns.delivery.outcomes import OutcomeFolder, OutcomeRecords
        from airflow_provider_campaigns.operators.state import task_state

        store: Store = task_state(context)
        ti = context.get("ti")
        try_number, max_tries = (ti.try_number, ti.max_tries or 0) if ti else (1, 0)
        cleared = max_tries > (self.retries or 0)
        generation = max_tries if cleared and self.on_cleared == "resend" else None
        folder = self._folder(context, generation)
        ledger = Ledger(store, try_number, generation)
        if cleared and generation is None and not ledger.began:
            raise AirflowFailException(
                "This task was cleared, and the record of what its earlier tries sent is gone (expired, or discarded "
                "when it was cleared: see keep_task_state). Nothing was sent. Clear it with on_cleared='resend' to "
                "send to everybody again"
            )
        return ledger, OutcomeFolder(folder, try_number) if folder else OutcomeRecords(store, ledger)

    def _folder(self, context: Context, generation: int | None) -> Any:
        from airflow_provider_campaigns.delivery.storage import locate

        if not self.outcomes_path:
            return None
        folder = locate(self.outcomes_path)
        if ti := context.get("ti"):
            names = [ti.dag_id, ti.run_id, ti.task_id]
            if ti.map_index is not None and ti.map_index >= 0:
                names.append(str(ti.map_index))
            for name in names:
                folder = folder / name.replace("/", "_")
        return folder / f"resend-{generation}" if generation else folder

    def _delivery(self, send: Send, ledger: Ledger, outcomes: Outcomes, limits: Limits) -> Delivery:
        from airflow_provider_campaigns.delivery.engine import Delivery
        from airflow_provider_campaigns.delivery.senders import ThreadedSenders

        reading, source = self._reading(send)
        default = SINGLE_CONCURRENCY if send.batch_limit == 1 or send.safe_to_resend else BATCH_CONCURRENCY
        concurrency = self._whole("max_concurrency", self.max_concurrency, default)
        per_minute = self.hook.fields.requests_per_minute or send.requests_per_minute
        return Delivery(
            send=send,
            reading=reading,
            source=source,
            ledger=ledger,
            outcomes=outcomes,
            senders=ThreadedSenders(send, self.hook.sending_transport(concurrency), concurrency, per_minute),
            batch_size=self._whole("batch_size", self.batch_size, send.batch_limit, send.batch_limit),
            max_concurrency=concurrency,
            limits=limits,
        )

    def _reading(self, send: Send) -> tuple[Reading, Source]:
        from dataclasses import replace

        from airflow_provider_campaigns.delivery.batches import Reading, excluded_keys
        from airflow_provider_campaigns.delivery.sources import open_source

        reading = Reading(
            send, self.columns, only_recipients=self.hook.only_recipients, allow_repeats=self.allow_repeats
        )
        if self.exclude is not None:
            reading = replace(reading, excluded=excluded_keys(open_source(shown(self.exclude), "exclude"), reading))
        return reading, open_source(shown(self.contacts))

    def _check(self, delivery: Delivery) -> None:
        """Refuse what must not even begin."""
        delivery.source.require(delivery.reading.required())
        rows = delivery.source.count()
        if rows > MOST_OUTCOMES_IN_XCOM and not self.outcomes_path:
            raise InputError(
                "outcomes_path", f"a folder for more than {MOST_OUTCOMES_IN_XCOM} contacts", f"{rows} rows"
            )
        if self.max_recipients is not None and rows > int(self.max_recipients):
            batches = delivery.reading.batches(delivery.source, delivery.batch_size)
            recipients = sum(len(batch.contacts) for batch in batches)
            if recipients > int(self.max_recipients):
                raise InputError("contacts", f"at most {self.max_recipients} (max_recipients)", recipients)
        self.log.info("Delivering %s rows of %s to %s", f"{rows:,}", delivery.source.name, delivery.send.campaign)

    def _check_choices(self) -> None:
        if self.on_unknown not in get_args(OnUnknown):
            raise InputError("on_unknown", " or ".join(get_args(OnUnknown)), repr(self.on_unknown))
        if self.on_cleared not in get_args(OnCleared):
            raise InputError("on_cleared", " or ".join(get_args(OnCleared)), repr(self.on_cleared))
        if self.columns is not None and not isinstance(self.columns, Mapping):
            raise InputError("columns", "a dict {vendor field: source column}", type(self.columns).__name__)
        limit = self.max_rejected
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, float)) or limit < 0):
            raise InputError("max_rejected", "a number of contacts (int) or a share of them (float)", repr(limit))

    @staticmethod
    def _whole(name: str, value: Any, default: int, most: int | None = None) -> int:
        """Return a whole number of at least 1 (a rendered template may be text), or ``default`` for None."""
        if value is None:
            return default
        if not str(value).isdigit() or not 1 <= int(value) <= (most or int(value)):
            raise InputError(name, f"a whole number from 1 to {most}" if most else "a whole number from 1", repr(value))
        return int(value)

    def _header(self, send: Send) -> dict[str, Any]:
        """Return what must be the same on every try of this delivery."""
        return {**self.hook.identity, **send.identity, "columns": json.dumps(self.columns, sort_keys=True)}

    def _end(
        self, receipt: Receipt, outcomes: Outcomes, limits: Limits, context: Context, first_rejection: str = ""
    ) -> Receipt:
        """Report a delivery that came to its end, and fail if that is no success."""
        self._report(receipt, outcomes, context)
        error = limits.failure(receipt, first_rejection)
        if error and error.final:
            raise AirflowFailException(f"{error}. Outcomes: {outcomes.path or 'XCom outcomes'}") from error
        if error:
            raise error
        return receipt

    def _report(self, receipt: Receipt, outcomes: Outcomes, context: Context) -> None:
        """Log the receipt; leave it, and outcomes that are in no folder, as XComs also when the task fails."""
        self.log.info("Receipt: %s", ", ".join(f"{name} {value}" for name, value in receipt.items()))
        if ti := context.get("ti"):
            ti.xcom_push(key="receipt", value=dict(receipt))
            if outcomes.path is None:
                ti.xcom_push(key="outcomes", value=list(outcomes.read()))

    def _show(self, send: Send) -> Receipt:
        """Log the first request, recipients masked, and return the receipt of a delivery that sent nothing."""
        from airflow_provider_campaigns.delivery.preview import preview
        from airflow_provider_campaigns.delivery.receipt import make_receipt

        reading, source = self._reading(send)
        source.require(reading.required())
        size = self._whole("batch_size", self.batch_size, send.batch_limit, send.batch_limit)
        counts, request = preview(send, reading, source, size)
        self.log.info("Preview, nothing is sent. First request:\n%s", mask(request, self.hook.secrets))
        return make_receipt(send.vendor, send.campaign, counts, 0, None)
