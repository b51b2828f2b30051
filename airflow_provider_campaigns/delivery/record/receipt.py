"""The short account of a delivery: the operator's return value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from airflow_provider_campaigns.delivery.record.outcome import STATUSES


class Receipt(TypedDict):
    """
    What became of the contacts, as counts; no recipient is named.

    ``contacts`` is the number of rows, and the sum of the six statuses; ``requests`` the calls that took contacts to
    the vendor, over all tries; ``normalised`` the rows whose phone number, e-mail address or id was cleaned, so that it
    is not sent as it stands in the source; ``outcomes_path`` the folder of outcomes for ``read_outcomes``, None when
    they are in the XCom ``outcomes``. ``warning`` is there only when something about the campaign needs attention.
    """

    vendor: str
    campaign: str
    contacts: int
    accepted: int
    duplicate: int
    rejected: int
    invalid: int
    unsent: int
    unknown: int
    requests: int
    normalised: int
    outcomes_path: str | None
    warning: NotRequired[str]


class PreviewReceipt(Receipt):
    """
    What would become of the contacts: those that would be sent are ``unsent``.

    ``first_rows`` are the first of these, a dict of vendor fields each, with phone numbers and e-mail addresses masked.
    """

    first_rows: list[dict[str, str]]


def make_receipt(
    vendor: str,
    campaign: str,
    counts: Mapping[str, int],
    requests: int,
    outcomes_path: str | None,
    *,
    normalised: int = 0,
) -> Receipt:
    """Return the receipt of ``counts`` (contacts by status)."""
    return Receipt(
        vendor=vendor,
        campaign=campaign,
        contacts=sum(counts.get(status, 0) for status in STATUSES),
        accepted=counts.get("accepted", 0),
        duplicate=counts.get("duplicate", 0),
        rejected=counts.get("rejected", 0),
        invalid=counts.get("invalid", 0),
        unsent=counts.get("unsent", 0),
        unknown=counts.get("unknown", 0),
        requests=requests,
        normalised=normalised,
        outcomes_path=outcomes_path,
    )
