"""The preview of a delivery: who would be sent to, and the first request, without sending it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from airflow_provider_campaigns.delivery.plan.batches import Batch, cut_batches
from airflow_provider_campaigns.delivery.plan.reading import Reading, masked
from airflow_provider_campaigns.delivery.plan.sources import Source
from airflow_provider_campaigns.delivery.record.outcome import count
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.protocol.messages import Request, SignIn
from airflow_provider_campaigns.protocol.send import Contact, Send

FIRST_ROWS = 5


class Preview(NamedTuple):
    """
    What a delivery would do.

    :param counts: contacts by status; those that would be sent are ``unsent``.
    :param request: the first request, masked.
    :param rows: the first ``FIRST_ROWS`` contacts that would be sent: vendor field to value, masked.
    """

    counts: Counter[str]
    request: str
    rows: list[dict[str, str]]


def preview(send: Send, reading: Reading, source: Source, batch_size: int) -> Preview:
    """Return what a delivery of ``source`` would do."""
    shown = Preview(Counter(), "none: no contact can be sent", [])
    for batch in cut_batches(reading, source, batch_size):
        if batch.contacts and not shown.rows:
            shown = shown._replace(request=_first_request(send, batch))
        for _, contact in batch.contacts[: FIRST_ROWS - len(shown.rows)]:
            shown.rows.append(_row(contact))
        shown.counts.update(count(batch.outcomes))
        shown.counts["unsent"] += len(batch.contacts)
    return shown


def _first_request(send: Send, batch: Batch) -> str:
    contacts = [contact for _, contact in batch.contacts]
    conversation = send.request(contacts)
    step = next(conversation)
    while not isinstance(step, Request):
        step = conversation.send("***" if isinstance(step, SignIn) else None)
    conversation.close()
    body = json.dumps(step.json, indent=2, ensure_ascii=False)
    return masked(f"{step.method} {step.path}\n{body}", contacts)


def _row(contact: Contact) -> dict[str, str]:
    # Text in the form of an address keeps its first and last characters, so that it can be seen to be a plausible one.
    return {name: masked(mask(_text(value)), [contact]) for name, value in contact.body.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
