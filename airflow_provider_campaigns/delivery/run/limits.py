"""When a delivery is a failure: too many rejected, or contacts of which nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from airflow_provider_campaigns.delivery.record.outcome import STATUSES
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.exceptions import DeliveryError, TooManyRejectedError, UnknownOutcomesError

OnUnknown = Literal["fail", "skip", "resend"]

# A share says little about the first few contacts.
FEWEST_FOR_SHARE = 100


@dataclass(frozen=True)
class Limits:
    """
    What a delivery may end with and still be a success.

    :param on_unknown: ``fail``, ``skip`` or ``resend``: what unknown outcomes mean.
    :param max_rejected: contacts, or a share of those sent as float, that may be rejected; None for no limit.
    """

    on_unknown: OnUnknown = "fail"
    max_rejected: float | None = None

    def exceeded(self, counts: Mapping[str, int], first_rejection: str = "") -> TooManyRejectedError | None:
        """Return why a delivery under way is to be stopped, None when it is not."""
        if isinstance(self.max_rejected, float) and _sent(counts) < FEWEST_FOR_SHARE:
            return None
        return self._too_many_rejected(counts, first_rejection)

    def failure(self, receipt: Receipt, first_rejection: str = "", *, repeated: int = 0) -> DeliveryError | None:
        """
        Return why a delivery that came to its end is a failure all the same, None when it is not.

        :param repeated: duplicates that the source itself has, of which the vendor never heard.
        """
        if receipt["unknown"] and self.on_unknown != "skip":
            return UnknownOutcomesError(
                f"{receipt['unknown']} contacts may have been sent; nobody knows, so they are not sent again. The "
                f"outcomes list them with status 'unknown'. To send to them again, clear the task with "
                f"on_unknown='resend'; to leave them, with on_unknown='skip'",
                final=self.on_unknown == "fail",
            )
        counts: dict[str, int] = {status: receipt[status] for status in STATUSES}
        if error := self._too_many_rejected(counts, first_rejection):
            return error
        if counts["rejected"] and counts["rejected"] == _sent(counts) - repeated:
            return TooManyRejectedError(
                f"{receipt['vendor']} rejected all {counts['rejected']} contacts{first_rejection}", final=True
            )
        return None

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
