"""
Starts (or stops) a campaign once in a delivery, so that what a person does to it meanwhile stays.

"Add Campaign Data" takes an ``action`` with each lead. Sent with every one, it would start again what somebody has
stopped while leads are added. So it goes with one request after the other until a lead was added by one, and with none
after that. The rest is looked up at the end: a campaign that dialled all it had before the last leads came has
completed, and is started once more; one that is stopped was stopped by somebody, and stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from airflow_provider_campaigns.exceptions import CallRefusedError, RequestRejectedError
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.protocol.send import ContactReply
from airflow_provider_campaigns.vendors.ozonetel.dialect import Ozonetel

READY, RUNNING, STOPPED, COMPLETED = "READY", "RUNNING", "STOPPED", "COMPLETED"


class _State(Enum):
    DUE = "no request has carried it out"
    RESUMED = "an earlier try may have carried it out"
    ASKED = "a request that carries it is under way, or its reply was lost"
    DONE = "a lead was added by a request that carried it"


class CampaignAction:
    """
    The action of one delivery.

    :param dialect: the account.
    :param campaign_name: the campaign.
    :param action: ``START``, ``STOP``, or None for neither.
    """

    def __init__(self, dialect: Ozonetel, campaign_name: str, action: str | None) -> None:
        self._dialect = dialect
        self._campaign = campaign_name
        self._action = action.upper() if action else None
        self._state = _State.DUE
        self._there = False
        """Whether the campaign has a lead of this delivery."""
        self._added_without = False
        """Whether a lead was added by a request that did not carry the action."""

    def resume(self) -> None:
        """Take note that an earlier try may have carried the action out."""
        self._state = _State.RESUMED
        self._there = self._added_without = True

    def take(self) -> Conversation[str | None]:
        """Return the action for the next request, None when it is to carry none."""
        if self._action is None or self._state in {_State.ASKED, _State.DONE}:
            return None
        before, self._state = self._state, _State.ASKED
        if before is _State.DUE:
            return self._action
        try:
            again = self._action == "START" and (yield from self._position()) in {READY, COMPLETED}
        except BaseException:
            self._state = before
            raise
        # Else it is running, or was stopped by somebody, or started by somebody after a STOP.
        return self._action if again else None

    def refused(self, carried: str | None) -> None:
        """Take note that a request was refused or never arrived: one that carried the action did nothing."""
        if carried:
            self._state = _State.DUE

    def replied(self, carried: str | None, replies: Sequence[ContactReply], *, repeated: bool) -> None:
        """
        Take note of the replies to a request.

        :param repeated: an earlier request with the same leads went unanswered.
        """
        statuses = {reply.status for reply in replies}
        self._there = self._there or bool(statuses & {"accepted", "duplicate"})
        if not carried:
            self._added_without = self._added_without or "accepted" in statuses
        elif "accepted" in statuses:
            self._state = _State.DONE
        elif "unknown" not in statuses and not repeated:
            # The page does not say that a request starts a campaign to which it adds nothing.
            self._state = _State.DUE

    def conclude(self) -> Conversation[str | None]:
        """
        Carry out what is left of the action once all leads were sent; return a warning, None when all is well.

        :raises VendorError: the campaign's status could not be looked up or set; a later call does so again.
        """
        is_open = self._state is _State.DUE or (self._action == "START" and self._added_without)
        if self._action is None or not self._there or not is_open:
            return None
        position = yield from self._position()
        if self._action == "STOP":
            return (yield from self._set("Stop", "stopped")) if position == RUNNING else None
        if position == RUNNING:
            return None
        never_started = self._state is _State.DUE
        if position == COMPLETED or (position == READY and self._state is not _State.DONE) or never_started:
            return (yield from self._set("Start", "started"))
        return (
            f"campaign {self._campaign} is {position or 'in a state that could not be read'}; this delivery started it "
            f"once, and not again after somebody stopped it: leads that were added wait until it is started again"
        )

    def interrupted(self) -> str | None:
        """Return the warning for the receipt of a try that ended early, None when no lead may be left waiting."""
        if self._action != "START" or not self._there:
            return None
        return (
            f"the delivery ended early: if campaign {self._campaign} has completed or was stopped meanwhile, leads "
            f"that were added wait until it is started again, by a retry of the task or by somebody"
        )

    def queued(self) -> str | None:
        """Return the warning that leads may still be queued when all was sent, None where that is no matter."""
        if self._action != "START" or not self._added_without:
            return None
        return (
            f"the vendor adds the leads of bulk calls later: those that come after campaign {self._campaign} has "
            f"completed wait until it is started again"
        )

    def _position(self) -> Conversation[str]:
        """Return the campaign's position in capitals; empty when the vendor refuses to say."""
        try:
            campaign = yield from self._dialect.campaign_status(self._campaign)
        except (CallRefusedError, RequestRejectedError):
            return ""
        return str(campaign.get("Position") or "").upper()

    def _set(self, action: str, done: str) -> Conversation[str | None]:
        try:
            yield from self._dialect.set_campaign_status(self._campaign, action)
        except (CallRefusedError, RequestRejectedError) as error:
            return f"campaign {self._campaign} could not be {done}: {error.message}"
        return None
