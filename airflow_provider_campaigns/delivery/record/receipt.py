"""The receipt of a delivery: counts of outcomes, the operator's return value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NotRequired, TypedDict

from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome
from airflow_provider_campaigns.delivery.xcoms import TaskReference

# Ids of accepted contacts that a receipt has, at the most: it is an XCom.
MOST_REQUEST_IDS = 500


class Receipt(TypedDict):
    """
    What became of the contacts, as counts; no recipient is named.

    ``contacts`` is the number of rows, and the sum of the seven statuses; ``requests`` the calls that took contacts to
    the vendor, over all tries, also if it refused them; ``normalised`` the rows whose phone number, e-mail address or
    id was cleaned, so that it is not sent as it stands in the source; ``outcomes_path`` the folder of outcomes, None
    when they are in the XCom ``outcomes``: then ``outcomes_xcom`` names the task instance that has it.
    ``read_outcomes`` takes the receipt in either case. ``request_ids`` are the vendor's ids of the accepted contacts,
    in the order of the source; there only if the vendor gives ids, and for at most 500. ``warning`` is there only when
    something about the campaign needs attention.
    """

    vendor: str
    campaign: str
    contacts: int
    accepted: int
    duplicate: int
    rejected: int
    invalid: int
    capped: int
    unsent: int
    unknown: int
    requests: int
    normalised: int
    outcomes_path: str | None
    outcomes_xcom: NotRequired[TaskReference]
    request_ids: NotRequired[list[str]]
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
        capped=counts.get("capped", 0),
        unsent=counts.get("unsent", 0),
        unknown=counts.get("unknown", 0),
        requests=requests,
        normalised=normalised,
        outcomes_path=outcomes_path,
    )


def find_request_ids(receipt: Receipt, read: Callable[[], Iterable[Outcome]]) -> list[str] | None:
    """
    Return the vendor's ids of the accepted contacts; None when one has none, or there are too many for a receipt.

    :param read: returns all outcomes.
    """
    if not 0 < receipt["accepted"] <= MOST_REQUEST_IDS:
        return None
    ids: list[str] = []
    for line in read():
        if line["status"] == "accepted":
            if not line["vendor_id"]:
                return None
            ids.append(line["vendor_id"])
    return ids
