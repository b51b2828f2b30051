"""Contacts for a history, and deliveries that contact them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from airflow_provider_campaigns.history.caps import parse_caps
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.deliveries import About, DeliveryHistory, TaskKey
from airflow_provider_campaigns.history.tables import contacts
from airflow_provider_campaigns.identity import read_email, read_phone
from airflow_provider_campaigns.protocol.history import ContactEnd
from airflow_provider_campaigns.protocol.send import Contact

PHONE = About("acme", "acme_default https://api.example.com", "spring", "sms")


def person(number: int) -> Contact:
    """Return a contact with a phone number."""
    found = read_phone(f"+447700{900000 + number}")
    return Contact(found.text, {}, (found.text,), found.key, (found,))


def with_email(contact: Contact, address: str) -> Contact:
    """Return a contact that has an e-mail address, too."""
    return contact._replace(recipients=(*contact.recipients, read_email(address)))


def numbered(*numbers: int) -> list[tuple[int, Contact]]:
    """Return contacts with their rows, which begin at 1."""
    return [(row, person(number)) for row, number in enumerate(numbers, 1)]


def delivery(
    history: History,
    run: str,
    caps: Sequence[str] = (),
    about: About = PHONE,
    *,
    sends_at: datetime | None = None,
    began: float = 0.0,
) -> DeliveryHistory:
    """Return the history of one delivery."""
    task = TaskKey("dag", run, "send", -1)
    return DeliveryHistory(history, task, about, parse_caps(caps), began=lambda: began, sends_at=sends_at)


def end(one: DeliveryHistory, pairs: Sequence[tuple[int, Contact]], status: str) -> None:
    """Let all contacts of a delivery end with a status."""
    one.settle([ContactEnd(row, contact, status, None, f"id-{row}") for row, contact in pairs])


def age(history: History, days: float) -> None:
    """Let all that was noted be older."""
    with history.database.engine.begin() as connection:
        for row in connection.execute(sa.select(contacts)).mappings().all():
            key = sa.and_(contacts.c.delivery == row["delivery"], contacts.c.source_row == row["source_row"])
            older = datetime.fromtimestamp(row["at"].timestamp() - days * 86_400)  # noqa: DTZ006 - as it is stored
            connection.execute(sa.update(contacts).where(key).values(at=older))
