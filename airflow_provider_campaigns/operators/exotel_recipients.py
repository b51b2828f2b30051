"""Who an Exotel campaign rings: checked as a whole, since one number that cannot be rung fails the campaign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_campaigns.delivery.batches import allowed
from airflow_provider_campaigns.delivery.sources import Row, Source, open_source
from airflow_provider_campaigns.exceptions import InputError, InvalidContactError
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.operators.rendered import listed
from airflow_provider_campaigns.protocol.sending import Contact
from airflow_provider_campaigns.vendors.exotel_campaign import MOST_NUMBERS, check_number

# The column that is rung; Exotel's own name for it in "create-contacts".
NUMBER = "number"


def recipients(hook: ExotelHook, *, numbers: Any, lists: Any, contacts: Any) -> dict[str, list[str]]:
    """
    Return ``numbers`` or ``lists`` of the campaign.

    :param hook: the connection: its ``region`` and ``only_recipients`` count.
    :raises InputError: not exactly one is given, or one number cannot or must not be rung; its row is named.
    """
    given = {name: value for name, value in (("numbers", numbers), ("lists", lists), ("contacts", contacts)) if value}
    if len(given) != 1:
        raise InputError("numbers, lists, contacts", "exactly one of them", " and ".join(given) or "none")
    if lists:
        if hook.only_recipients:
            expected = "numbers or contacts: only_recipients of the connection cannot be checked against lists"
            raise InputError("lists", expected, "lists")
        return {"lists": listed("lists", lists)}
    if numbers:
        source = open_source([{NUMBER: number} for number in listed("numbers", numbers)], "numbers")
    else:
        source = open_source(contacts)
    source.require([(NUMBER,)])
    if (rows := source.count()) > MOST_NUMBERS:
        expected = f"at most {MOST_NUMBERS:,} numbers; put more of them into contact lists at Exotel, and give lists"
        raise InputError(source.name, expected, f"{rows:,}")
    return {"numbers": list(_numbers(hook, source))}


def _numbers(hook: ExotelHook, source: Source) -> Iterator[str]:
    region, patterns = hook.region, hook.only_recipients
    for row in source.read():
        number = _number(row, f"{source.name}, row {row.number}", region)
        if patterns and not allowed(Contact(number, {}), patterns):
            raise InputError(
                f"{source.name}, row {row.number}", "a number that only_recipients of the connection allows", number
            )
        yield number


def _number(row: Row, where: str, region: str | None) -> str:
    if row.problem:
        raise InputError(where, "a row that can be read", row.problem)
    try:
        return check_number(row.fields.get(NUMBER), region)
    except InvalidContactError as error:
        raise InputError(where, error.expected, row.fields.get(NUMBER)) from None
