"""One try of a delivering operator: opens the records, runs the engine, reports the receipt."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.delivery.plan.sources.copies import copied
from airflow_provider_campaigns.delivery.run.engine import Delivery
from airflow_provider_campaigns.delivery.run.progress import DeliveryProgress
from airflow_provider_campaigns.delivery.run.senders import ThreadedSenders
from airflow_provider_campaigns.exceptions import RESEND_ALL, LedgerError, SendWindowClosedError
from airflow_provider_campaigns.links.campaign import CampaignLink
from airflow_provider_campaigns.operators.base.contacts import check_number, skips_when_empty
from airflow_provider_campaigns.operators.base.delivery_parameters import (
    DEFAULT_MAX_OUTAGE,
    batch_size_of,
    check_choices,
    concurrency_of,
    contacts_of,
    header_of,
    limits_of,
)
from airflow_provider_campaigns.operators.base.metrics import count_contacts
from airflow_provider_campaigns.operators.base.outlets import publish_receipt, store_receipt
from airflow_provider_campaigns.operators.base.task_history import account_of, note_end, open_task_history
from airflow_provider_campaigns.operators.base.task_records import TaskRecords, open_task_records
from airflow_provider_campaigns.operators.base.timing import hours_of, wait_or_skip
from airflow_provider_campaigns.parameters import parse_count
from airflow_provider_campaigns.protocol.send import Concludes
from airflow_provider_campaigns.state.patience import Patience
from airflow_provider_campaigns.state.shards import ShardRegister, shard_register
from airflow_provider_campaigns.state.task_state import progress_note

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.delivery.record.receipt import Receipt
    from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
    from airflow_provider_campaigns.operators.base.send_window import SendWindow
    from airflow_provider_campaigns.protocol.pace import Pace
    from airflow_provider_campaigns.protocol.send import Send


class DeliveryTask:
    """
    What an operator does in one try; ``end`` ends it early.

    :param operator: whose parameters say what is delivered.
    :param waited: the task waited for ``send_window``.
    """

    def __init__(self, operator: CampaignDeliveryOperator[Any], context: Context, *, waited: bool) -> None:
        self._operator = operator
        self._context = context
        self._waited = waited
        self._delivering: Delivery | None = None
        self._progress: DeliveryProgress | None = None
        self._patience = Patience(0)
        self._ended = ""
        self._closes_in: Callable[[], float] = lambda: math.inf

    def end(self, why: str) -> None:
        """Send no further request; those in flight are still settled. May be called from a signal handler."""
        # It may come while the contacts are still looked through.
        self._ended = why
        if self._delivering:
            self._delivering.end(why)

    def run(self) -> Receipt:
        """
        Send what earlier tries did not send, and report it.

        :raises DeliveryError: it did not come to its end, or that is no success.
        """
        operator = self._operator
        # First of all: so that a task that fails at a mistake, and is cleared, is known to have sent nothing.
        self._patience = Patience(parse_count("max_outage", operator.max_outage, DEFAULT_MAX_OUTAGE))
        self._patience.ended = lambda: bool(self._ended)
        records = open_task_records(
            self._context,
            operator.retries,
            operator.on_cleared,
            operator.outcomes_path,
            waited=self._waited,
            patience=self._patience,
            open_history=lambda: open_task_history(operator, self._context, self._patience),
        )
        try:
            return self._deliver(records)
        finally:
            records.history.close()

    def _deliver(self, records: TaskRecords) -> Receipt:
        operator = self._operator
        check_choices(operator)
        send = operator.make_send()
        header = header_of(operator, send, records.outcomes, operator.vendor_fields())
        # A delivery that is complete needs no window.
        window = None if records.ledger.receipt else self._open_window(records)
        shard = None
        with skips_when_empty(operator.on_empty, sent=records.ledger.may_have_reached):
            delivery = self._make_delivery(send, records)
            if not delivery.is_complete(header):
                if records.ledger.receipt:
                    window = self._open_window(records)
                self._preflight(delivery)
                shard = self._claim_shard(delivery)
        CampaignLink.store(self._context, operator.hook.campaign_url(send.campaign))
        try:
            receipt = delivery.deliver(header)
        except LedgerError:
            raise
        except BaseException as error:
            if delivery.begun:
                self._report_unsent(delivery)
            if window and isinstance(error, SendWindowClosedError):
                wait_or_skip(operator, window)
            raise
        finally:
            if shard and not records.ledger.may_have_reached:
                shard.release(records.ledger.shard)
        return self._finish(receipt, delivery)

    def _open_window(self, records: TaskRecords) -> SendWindow | None:
        """Return the hours at which this run may send, None for all; defer or skip when it may not send now."""
        operator = self._operator
        waited = self._waited or records.ledger.may_have_reached
        window, self._closes_in = hours_of(operator, self._context, waited=waited, send_at=operator.sends_at())
        return window

    def _make_delivery(self, send: Send, records: TaskRecords) -> Delivery:
        operator, hook = self._operator, self._operator.hook
        reading, source = contacts_of(operator, send, partial(copied, records.ledger, records.copies))
        concurrency = concurrency_of(operator, send)
        per_minute = hook.requests_per_minute(send.requests_per_minute)
        if per_minute:
            operator.log.info("Requests are sent evenly, at most %g a minute", per_minute)
        return Delivery(
            send=send,
            reading=reading,
            source=source,
            ledger=records.ledger,
            outcomes=records.outcomes,
            senders=ThreadedSenders(
                send,
                hook.sending_transport(concurrency),
                concurrency,
                per_minute,
                closes_in=self._until_closing,
                pace=self._shared_pace(send, records, per_minute),
            ),
            batch_size=batch_size_of(operator, send),
            max_concurrency=concurrency,
            limits=limits_of(operator, records.ledger.on_unknown),
            history=records.history.of_delivery(
                send,
                account_of(hook),
                records.ledger,
                outcomes_path=records.outcomes.path,
                sends_at=operator.sends_at(),
            ),
            whole=records.mapped,
            conclude=lambda: hook.run(send.conclude()) if isinstance(send, Concludes) else None,
            closes_in=self._until_closing,
        )

    def _until_closing(self) -> float:
        return self._closes_in()

    def _shared_pace(self, send: Send, records: TaskRecords, per_minute: float | None) -> Pace | None:
        """Return the pace that the tasks of the account share, None where there is no history."""
        # A page may have a limit for each call; that of a connection holds for all.
        limit = type(send).__name__ if per_minute == send.requests_per_minute else "all calls"
        return records.history.pace(f"{limit} {account_of(self._operator.hook)}", per_minute, self._until_closing)

    def _preflight(self, delivery: Delivery) -> None:
        """Check everything that can be checked before the first request, and get ready to send."""
        operator, rows = self._operator, delivery.checked.rows
        check_number(
            delivery.checked,
            delivery.reading,
            delivery.source,
            max_recipients=operator.max_recipients,
            outcomes_path=operator.outcomes_path,
        )
        self._operator.log.info(
            "Delivering %s rows of %s to %s", f"{rows:,}", delivery.source.name, delivery.send.campaign
        )
        self._progress = delivery.progress = DeliveryProgress(
            rows,
            progress_note(self._context),
            about={"vendor": delivery.send.vendor, "campaign": delivery.send.campaign},
        )
        self._delivering = delivery
        self._patience.ended = lambda: delivery.is_to_end
        self._patience.waiting = delivery.held
        if self._ended:
            delivery.end(self._ended)

    def _claim_shard(self, delivery: Delivery) -> ShardRegister | None:
        """
        Note that this map index sends these contacts to this campaign.

        :return: the register of shards, None for a task that is not mapped.
        :raises LedgerError: another map index of this run sent them, or is sending them.
        """
        operator = self._operator
        register, ledger = shard_register(self._context), delivery.ledger
        if register is None:
            return None
        # The same contacts may be sent to several campaigns, or through several connections, a map index each.
        whom = [delivery.checked.whole, operator.hook.identity, delivery.send.identity]
        shard = hashlib.sha256(json.dumps(whom, sort_keys=True, default=dict).encode()).hexdigest()
        if ledger.shard and ledger.shard != shard and not ledger.may_have_reached:
            register.release(ledger.shard)
        other = None if ledger.resend else register.other_owner(shard)
        if other is not None:
            raise LedgerError(
                f"{delivery.source.name}: map index {other} of this task sends, or sent, these contacts. Nothing was "
                f"sent. Give each map index the contacts that it had (see 'Mapped tasks' in docs/identity.md), or "
                f"clear the task with on_cleared='resend' to send to everybody again",
                remedy=RESEND_ALL,
            )
        register.claim(shard)
        ledger.shard = shard
        return register

    def _finish(self, receipt: Receipt, delivery: Delivery) -> Receipt:
        """Report a delivery that came to its end, and fail if that is no success."""
        self._report(receipt, delivery)
        note_end(delivery.history, "complete", receipt)
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
        publish_receipt(self._context, self._operator.outlets, receipt)
        return receipt

    def _report_unsent(self, delivery: Delivery) -> None:
        """Report a delivery that ended early; what goes wrong here must not hide why it ended."""
        try:
            receipt = delivery.report_unsent()
            self._report(receipt, delivery)
            note_end(delivery.history, "incomplete", receipt)
        except Exception:
            self._operator.log.warning("It could not be reported which contacts are unsent", exc_info=True)

    def _report(self, receipt: Receipt, delivery: Delivery) -> None:
        """
        Log the receipt, and why contacts were not accepted.

        The receipt, and outcomes that are in no folder, are stored as XComs also when the task fails.
        """
        self._operator.log.info("Receipt: %s", ", ".join(f"{name} {value}" for name, value in receipt.items()))
        count_contacts(delivery.send.vendor, delivery.new_counts())
        if self._progress:
            self._progress.end(receipt)
        self._patience.run(partial(store_receipt, self._context, receipt, delivery.outcomes))
        self._operator.store_links(receipt, delivery.outcomes, self._context)
        for reason in delivery.reasons():
            self._operator.log.warning("%s", reason)
