"""Decides when a try stops sending: it is to end, the vendor is unavailable, or rejects too many contacts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.exceptions import DeliveryError, VendorFailingError
from airflow_provider_campaigns.protocol.send import ContactReply


class Stopping:
    """
    The reason to send nothing more; the first one counts.

    :param vendor: its name.
    :param most_unknown: requests in a row whose outcome may be unknown.
    :param limits: how many contacts may be rejected.
    :param stop_senders: called once there is a reason, perhaps in a signal handler.
    """

    def __init__(self, vendor: str, most_unknown: int, limits: Limits, stop_senders: Callable[[], None]) -> None:
        self._vendor = vendor
        self._most_unknown = most_unknown
        self._limits = limits
        self._stop_senders = stop_senders
        self._unknown_in_a_row = 0
        self._failing: DeliveryError | None = None
        self.error: BaseException | None = None
        """The reason; None: there is none."""
        self.asked_at: float | None = None
        """When the try was asked to end, on its clock; None: it was not."""
        self.first_rejection = ""
        """The vendor's words on the first contact it rejected, for a message; empty: it rejected none."""

    def stop(self, error: BaseException | None) -> None:
        """Send nothing more, for this reason."""
        if self.error is None:
            self.error = error
            self._stop_senders()

    def end(self, why: str, now: float) -> None:
        """Send nothing more, for the try was asked to end; may be called from a signal handler."""
        if self.asked_at is None:
            self.asked_at = now
            self.error = self.error or DeliveryError(f"the delivery was ended ({why}); a retry resumes it")
            self._stop_senders()

    def record_reply(self, replies: Sequence[ContactReply]) -> None:
        """Take note of the replies to one request."""
        if all(reply.status == "unknown" for reply in replies):
            self.record_unknown(str(replies[-1].reason))
            return
        self._unknown_in_a_row = 0
        if not self.first_rejection:
            rejected = (reply for reply in replies if reply.status == "rejected")
            self.first_rejection = next((f"; the first one: {one.reason}: {one.message}" for one in rejected), "")

    def record_unknown(self, reason: str) -> None:
        """Take note of a request whose outcome is unknown, and why."""
        self._unknown_in_a_row += 1
        if self._unknown_in_a_row > self._most_unknown:
            self._failing = VendorFailingError(
                f"{self._vendor} left {self._unknown_in_a_row} requests in a row unanswered, the last one: "
                f"{reason}. The rest was not sent; a retry sends it"
            )

    def check(self, counts: Mapping[str, int], rows: int) -> None:
        """
        Send nothing more if the vendor fails, or refuses more contacts than allowed.

        :param counts: contacts by status.
        :param rows: of the source.
        """
        if reason := self._failing or self._limits.exceeded(counts, self.first_rejection, rows):
            self.stop(reason)
