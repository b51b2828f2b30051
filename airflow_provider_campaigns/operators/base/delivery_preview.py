"""``preview=True``: reads and checks the contacts, sends nothing."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.delivery.plan.preflight import check
from airflow_provider_campaigns.delivery.plan.preview import preview
from airflow_provider_campaigns.delivery.plan.sources.copies import CopyFolder
from airflow_provider_campaigns.delivery.record.receipt import PreviewReceipt, make_receipt
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.operators.base.contacts import check_number, skips_when_empty
from airflow_provider_campaigns.operators.base.delivery_parameters import (
    batch_size_of,
    check_choices,
    contacts_of,
    limits_of,
)
from airflow_provider_campaigns.operators.base.outlets import publish_receipt
from airflow_provider_campaigns.operators.base.task_history import check_history

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator


def preview_delivery(operator: CampaignDeliveryOperator[Any], context: Context) -> PreviewReceipt:
    """
    Log the first request, recipients masked, and return the receipt of a delivery that sent nothing.

    :raises InputError: bad input.
    """
    check_choices(operator)
    limits_of(operator)
    check_history(operator)
    send = operator.make_send()
    size = batch_size_of(operator, send)
    with TemporaryDirectory() as folder, skips_when_empty(operator.on_empty):
        reading, source = contacts_of(operator, send, CopyFolder(Path(folder)).make)
        checked = check(reading, source)
        check_number(
            checked,
            reading,
            source,
            max_recipients=operator.max_recipients,
            outcomes_path=operator.outcomes_path,
        )
        shown = preview(send, reading, source, size)
    secrets = operator.hook.secrets
    operator.log.info("Preview, nothing is sent. First request:\n%s", mask(shown.request, secrets))
    normalised = reading.tally.normalised
    receipt = make_receipt(send.vendor, send.campaign, shown.counts, 0, None, normalised=normalised)
    publish_receipt(context, operator.outlets, receipt)
    rows = [{name: mask(text, secrets) for name, text in row.items()} for row in shown.rows]
    return PreviewReceipt(**receipt, first_rows=rows)
