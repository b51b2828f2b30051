"""Reads the receipts that a sensor is given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_campaigns.exceptions import InputError

EXPECTED = "the receipt of the task that sent (`send.output`), or a list of them (of a mapped task)"


def read_receipts(value: Any, vendor: str) -> list[Mapping[str, Any]]:
    """
    Return the receipts that a sensor was given.

    :param value: a receipt, a list of them, or JSON text that a template rendered to.
    :param vendor: of the sensor.
    :raises InputError: it is no receipt, or one of another vendor.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InputError("receipt", EXPECTED, "text" if isinstance(value, str) else type(value).__name__)
    receipts = [value] if isinstance(value, Mapping) else list(value)
    for receipt in receipts:
        if not isinstance(receipt, Mapping):
            raise InputError("receipt", EXPECTED, f"a list with {type(receipt).__name__}")
        if receipt.get("vendor", vendor) != vendor:
            raise InputError("receipt", f"a receipt of {vendor}", f"one of {receipt['vendor']}")
    if not receipts:
        raise InputError("receipt", EXPECTED, "an empty list")
    return receipts


def campaign_of(value: Any, vendor: str, *names: str) -> str:
    """
    Return the campaign that the contacts of receipts went to.

    :param names: of its field in a receipt, the first that is there.
    :raises InputError: there is none, or there are several campaigns.
    """
    receipts = read_receipts(value, vendor)
    found = {next((str(receipt[name]) for name in names if receipt.get(name)), "") for receipt in receipts}
    if len(found) != 1 or "" in found:
        got = " and ".join(sorted(filter(None, found))) or f"fields {', '.join(map(str, receipts[0]))}"
        raise InputError("receipt", f"receipts of one campaign, with {names[0]}", got)
    return found.pop()


def accepted_in(value: Any, vendor: str) -> int:
    """
    Return how many contacts the vendor accepted.

    :raises InputError: a receipt has no such number.
    :raises AirflowSkipException: it is 0: there is nothing to wait for.
    """
    accepted = 0
    for receipt in read_receipts(value, vendor):
        number = receipt.get("accepted")
        if not isinstance(number, int):
            raise InputError("receipt", "a receipt with `accepted`", f"fields {', '.join(map(str, receipt))}")
        accepted += number
    if not accepted:
        raise AirflowSkipException("The receipt has no accepted contact: there is nothing to wait for")
    return accepted


def request_ids_in(value: Any, vendor: str) -> list[str]:
    """
    Return the vendor's ids of the accepted contacts, from the receipt or, if it has too many for that, the outcomes.

    :raises InputError: an accepted contact has none.
    :raises AirflowSkipException: no contact was accepted: there is nothing to wait for.
    """
    accepted_in(value, vendor)
    return [one for receipt in read_receipts(value, vendor) if receipt["accepted"] for one in _request_ids(receipt)]


def _request_ids(receipt: Mapping[str, Any]) -> Iterable[str]:
    from airflow_provider_campaigns.delivery import read_outcomes

    if receipt.get("request_ids"):
        yield from receipt["request_ids"]
        return
    for line in read_outcomes(receipt, "accepted"):
        if not line["vendor_id"]:
            raise InputError(
                "receipt", "outcomes with a vendor_id for each accepted contact", f"none in row {line['row']}"
            )
        yield line["vendor_id"]
