"""A campaign of the sandbox's Ozonetel: which leads it takes, what it says of them, and how it dials by the clock."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

from airflow_provider_campaigns.sandbox import ozonetel_words as words
from airflow_provider_campaigns.sandbox.ozonetel_words import Answer

READY, RUNNING, STOPPED, COMPLETED = "READY", "RUNNING", "STOPPED", "COMPLETED"
# The error text of the table: numeric, 3 to 16 digits, optional leading +.
PHONE = re.compile(r"\+?\d{3,16}")
# The last digits of a number on the do-not-disturb list.
DND = "900996"
# What becomes of a call, by the end of its number: Status and CustomerDialStatus of its record; others are answered.
# The words are those of the callbacks' DialStatus, as no page lists those of the records.
NOT_ANSWERED = {
    "900991": ("Unanswered", "busy"),
    "900992": ("NotAnswered", "not_answered"),
    "900993": ("Unanswered", "invalid_number"),
}
# YYYY-MM-DD on the token page, with a time on the newer basic pages.
DATE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?")
# get_caservices-cdr-callbacks-php: days are Indian Standard Time.
IST = timezone(timedelta(hours=5, minutes=30))
# The body of AddCampaignData; other keys are mapped columns of the campaign.
BODY_FIELDS = frozenset(
    {"campaignName", "phoneNumber", "userName", "Name", "action", "skill", "priority", "agentId", "expiryDate"}
    | {"checkDuplicate", "skipNameFieldValidation"}
)


@dataclass(slots=True)
class Lead:
    """One number of a campaign; ``dialled`` is when it was called (epoch seconds), 0 until then."""

    phone: str
    name: str
    agent: str
    dialled: float = 0.0


@dataclass(slots=True)
class Campaign:
    """A campaign: while it runs, its leads are dialled one after the other."""

    id: str
    name: str
    position: str = READY
    waiting: deque[Lead] = field(default_factory=deque)
    dialled: list[Lead] = field(default_factory=list)
    skills: dict[str, str] = field(default_factory=dict)
    """The numbers in the campaign, dialled or not, and their skill."""
    next_dial: float = 0.0
    shown: str = ""
    """A position that is shown in place of its own."""

    def is_kind(self, kind: str) -> bool:
        """Whether the name says that the campaign is ``kind``: inbound, agentwise or skillwise."""
        return self.name.lower().startswith(kind)

    def catch_up(self, now: float, seconds_per_lead: float) -> None:
        """Dial what was due until ``now``; a running campaign that has no lead left completes."""
        while self.position == RUNNING and self.next_dial <= now:
            if not self.waiting:
                self.position = COMPLETED
                return
            lead = self.waiting.popleft()
            lead.dialled = self.next_dial
            self.dialled.append(lead)
            self.next_dial += seconds_per_lead

    def add(self, lead: Mapping[str, Any], *, checks_duplicate: bool) -> Answer | None:
        """Add a lead, or return why not."""
        phone, skill = str(lead.get("phoneNumber") or ""), str(lead.get("skill") or "")
        if problem := self._problem(phone, skill, lead):
            return problem
        if phone in self.skills:
            if self.is_kind("skillwise") and self.skills[phone] != skill:
                return words.DUPLICATE_OTHER_SKILL
            if checks_duplicate:
                return words.DUPLICATE
        self.skills[phone] = skill
        self.waiting.append(Lead(phone, str(lead.get("Name") or ""), str(lead.get("agentId") or "")))
        return None

    def forget(self, phone: str) -> None:
        """Remove a number, unless it was dialled."""
        self.skills.pop(phone, None)
        self.waiting = deque(lead for lead in self.waiting if lead.phone != phone)

    def start(self, now: float, seconds_per_lead: float) -> None:
        """Run from ``now`` on, unless it does."""
        if self.position != RUNNING:
            self.position, self.next_dial = RUNNING, now + seconds_per_lead

    def stop(self) -> None:
        """Dial no more."""
        self.position = STOPPED

    def words_for(self, body: Mapping[str, Any], *, was_running: bool) -> Answer:
        """Return what the table says of a lead that was added; it has several rows where no action is given."""
        action = str(body.get("action") or "").lower()
        if action == "stop":
            return words.stopped(self.name)
        if self.is_kind("agentwise") or self.is_kind("skillwise"):
            return words.ADDED
        if was_running:
            return words.already_started(self.name)
        if action == "start":
            return words.started(self.name)
        others = body.keys() - BODY_FIELDS
        if any(key.lower() == "action" for key in others) or (
            "action" not in body and body.keys() & {"priority", "expiryDate"}
        ):
            return words.updated(self.name)
        return words.ADDED if others else words.updated_without_action(self.name)

    def calls_between(self, first: str, last: str) -> list[dict[str, Any]]:
        """Return the call records from ``first`` to ``last``, ``YYYY-MM-DD HH:MM:SS`` of Indian time."""
        return [self._record(lead) for lead in self.dialled if first <= _written(lead.dialled) <= last]

    def _problem(self, phone: str, skill: str, lead: Mapping[str, Any]) -> Answer | None:
        agent = str(lead.get("agentId") or "")
        agentwise, skillwise = self.is_kind("agentwise"), self.is_kind("skillwise")
        checks = (
            (not PHONE.fullmatch(phone), words.PHONE_INVALID),
            (phone.endswith(DND), words.PHONE_DND),
            # The table lets a wrong priority through; only an empty one is an error.
            (lead.get("priority", 1) in ("", None), words.PRIORITY_EMPTY),
            (bool(lead.get("expiryDate")) and not _is_date(str(lead["expiryDate"])), words.DATE_INVALID),
            (agentwise and not agent, words.AGENT_EMPTY),
            (agentwise and agent.startswith("unknown"), words.AGENT_INVALID),
            (skillwise and (not skill or skill.startswith("unknown")), words.SKILL_INVALID),
        )
        return next((answer for fails, answer in checks if fails), None)

    def _record(self, lead: Lead) -> dict[str, Any]:
        day, _, time = _written(lead.dialled).partition(" ")
        status, customer = NOT_ANSWERED.get(lead.phone[-6:], ("Answered", "answered"))
        return {
            "CallID": f"{self.id}{int(lead.dialled * 1000):014d}",
            "CampaignName": self.name,
            "CallDate": day,
            "StartTime": time,
            "TalkTime": "00:00:30" if status == "Answered" else "00:00:00",
            "Status": status,
            "DialStatus": "answered" if status == "Answered" else "not_answered",
            "CustomerDialStatus": customer,
            "AgentID": lead.agent,
            "CallerID": lead.phone,
            "Type": "OutBound",
            "UUI": lead.name,
        }


def is_true(value: Any) -> bool:
    """Whether a flag is on: the pages show "TRUE" and true; anything else is off."""
    return str(value).lower() == "true"


def _is_date(text: str) -> bool:
    if not DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, IST).strftime("%Y-%m-%d %H:%M:%S")
