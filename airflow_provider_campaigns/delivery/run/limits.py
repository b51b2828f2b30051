"""When a delivery is a failure: too many invalid or rejected contacts, or contacts whose outcome is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_campaigns.delivery.record.outcome import STATUSES
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.exceptions import (
    DeliveryError,
    TooManyInvalidError,
    TooManyRejectedError,
    UnknownOutcomesError,
)
from airflow_provider_campaigns.parameters import DEFAULT_MAX_RESENDS, OnUnknown

# A share says little about the first few contacts.
FEWEST_FOR_SHARE = 100
FEWEST_FOR_INVALID_SHARE = 10


@dataclass(frozen=True)
class Limits:
    """
    What a delivery may end with and still be a success.

    :param on_unknown: ``fail``, ``skip`` or ``resend``: what unknown outcomes mean.
    :param max_rejected: contacts, or a share of those sent as float, that may be rejected; None for no limit.
    :param max_invalid: contacts, or a share of all as float, that may be invalid (but for those that are left out on
        purpose); None for no limit.
    :param max_resends: how often ``resend`` sends to one contact again, over all tries.
    """

    on_unknown: OnUnknown = "fail"
    max_rejected: float | None = None
    max_invalid: float | None = None
    max_resends: int = DEFAULT_MAX_RESENDS

    def exceeded(
        self, counts: Mapping[str, int], first_rejection: str = "", rows: int | None = None
    ) -> DeliveryError | None:
        """
        Return why a delivery under way is to be stopped, None when it is not.

        :param counts: contacts by status, and ``left_out``.
        :param rows: of the source, None when they are not known.
        """
        if rows is not None and (error := self.too_many_invalid(_invalid(counts), rows)):
            return error
        if isinstance(self.max_rejected, float) and _sent(counts) < FEWEST_FOR_SHARE:
            return None
        return self._too_many_rejected(counts, first_rejection)

    def failure(
        self,
        receipt: Receipt,
        first_rejection: str = "",
        *,
        repeated: int = 0,
        left_out: int = 0,
        most_resends: int = 0,
    ) -> DeliveryError | None:
        """
        Return why a delivery that came to its end is a failure all the same, None when it is not.

        :param repeated: duplicates that the source itself has, of which the vendor never heard.
        :param left_out: invalid contacts that are left out on purpose.
        :param most_resends: how often it was sent again to the contact that it was sent to most often.
        """
        if receipt["unknown"] and self.on_unknown != "skip":
            return self._unknown(receipt["unknown"], most_resends)
        counts: dict[str, int] = {status: receipt[status] for status in STATUSES}
        if error := self.too_many_invalid(counts["invalid"] - left_out, receipt["contacts"]):
            return error
        if error := self._too_many_rejected(counts, first_rejection):
            return error
        if counts["rejected"] and counts["rejected"] == _sent(counts) - repeated:
            return TooManyRejectedError(
                f"{receipt['vendor']} rejected all {counts['rejected']} contacts{first_rejection}", final=True
            )
        return None

    def too_many_invalid(self, invalid: int, rows: int) -> DeliveryError | None:
        """Return why so many invalid contacts, of so many rows, are too many; None when they are not."""
        limit = self.max_invalid
        if isinstance(limit, float):
            limit = limit * rows if rows >= FEWEST_FOR_INVALID_SHARE else None
        if limit is None or invalid <= limit:
            return None
        return TooManyInvalidError(
            f"{invalid} of {rows} contacts are invalid, max_invalid is {self.max_invalid}", final=True
        )

    def _unknown(self, number: int, most_resends: int) -> DeliveryError:
        resending = self.on_unknown == "resend"
        exhausted = resending and most_resends >= self.max_resends
        often = f", up to {1 + most_resends} times" if most_resends else ""
        advice = (
            f"max_resends is {self.max_resends}. To keep them as they are, clear the task with on_unknown='skip'"
            if resending
            else "They are not sent again. To send to them again, clear the task with on_unknown='resend'; to keep "
            "them as they are, with on_unknown='skip'"
        )
        return UnknownOutcomesError(
            f"{number} contacts may have been sent{often}, and it is not known whether they were reached. The outcomes "
            f"list them with status 'unknown'. {advice}",
            final=exhausted or not resending,
            remedy={"on_unknown": "skip" if resending else "resend"},
        )

    def _too_many_rejected(self, counts: Mapping[str, int], first_rejection: str) -> TooManyRejectedError | None:
        limit = self.max_rejected
        if isinstance(limit, float):
            limit *= _sent(counts)
        if limit is None or counts.get("rejected", 0) <= limit:
            return None
        return TooManyRejectedError(
            f"{counts['rejected']} of {_sent(counts)} contacts were rejected, max_rejected is {self.max_rejected}"
            f"{first_rejection}",
            final=True,
        )


def _sent(counts: Mapping[str, int]) -> int:
    return sum(counts.get(status, 0) for status in ("accepted", "duplicate", "rejected", "unknown"))


def _invalid(counts: Mapping[str, int]) -> int:
    return counts.get("invalid", 0) - counts.get("left_out", 0)
