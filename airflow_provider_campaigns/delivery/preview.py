"""All of a delivery but the sending: what would be sent, and the first request as the vendor would get it."""

from __future__ import annotations

import json
from collections import Counter

from airflow_provider_campaigns.delivery.batches import Batch, Reading, masked
from airflow_provider_campaigns.delivery.outcomes import count
from airflow_provider_campaigns.delivery.sources import Source
from airflow_provider_campaigns.protocol.messages import Request, SignIn
from airflow_provider_campaigns.protocol.sending import Send


def preview(send: Send, reading: Reading, source: Source, batch_size: int) -> tuple[Counter[str], str]:
    """Return the contacts by status (those that would be sent are ``unsent``), and the first request, masked."""
    counts: Counter[str] = Counter()
    first = "none: no contact can be sent"
    for batch in reading.batches(source, batch_size):
        if batch.contacts and not counts["unsent"]:
            first = _first_request(send, batch)
        counts.update(count(batch.outcomes))
        counts["unsent"] += len(batch.contacts)
    return counts, first


def _first_request(send: Send, batch: Batch) -> str:
    contacts = [contact for _, contact in batch.contacts]
    conversation = send.request(contacts)
    step = next(conversation)
    while not isinstance(step, Request):
        step = conversation.send("***" if isinstance(step, SignIn) else None)
    conversation.close()
    body = json.dumps(step.json, indent=2, ensure_ascii=False)
    return masked(f"{step.method} {step.path}\n{body}", contacts)
