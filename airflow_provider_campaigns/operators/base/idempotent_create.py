"""
Creates something at a vendor that must not exist twice, whatever crashes: intent, request, id.

What is created is identified by its name, which has a digest of the task instance and of the recipients in it, by the
moment of the intent, and by the fingerprint of the recipients, which is stored with the intent.

=======================================  ==============================================================
a crash …                                a later try …
=======================================  ==============================================================
before the intent is stored              creates it
between the intent and the stored id     looks it up by its name and adopts it, unless it was there before
                                         the intent; if nothing is found the task fails for good: it is
                                         never created again
after the id is stored                   returns it
at any time, and the recipients are      is an error: what there is was made for others
others now
=======================================  ==============================================================

What is prepared before the intent (contact lists) contacts nobody, and keeps its own steps in the same record.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import sleep
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.operators.base.creation_record import CreationRecord
from airflow_provider_campaigns.state.cleared import Clearing

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.store import Store

log = logging.getLogger(__name__)

Created = dict[str, Any]

# Seconds for which a vendor's list may not show what was created.
LISTING_DELAY = 60.0
# Seconds by which the clocks of worker and vendor may differ.
CLOCK_SKEW = 300.0
# When the vendor is asked what became of a request, as shares of the time in which it may still arrive and be listed.
_LOOKUPS = (0.0, 1 / 6, 1 / 3, 1 / 2)
# What a request ends with when it was certainly not carried out.
REFUSALS = (InputError, RequestRejectedError, CallRefusedError, VendorUnavailableError)


def lookup_delays(timeout: float) -> list[float]:
    """
    Return the seconds before each look-up of what became of a request, counted from the one before it.

    A request whose sender died may arrive for twice its time-out, and the list may show it a minute later.

    :param timeout: seconds that a request may take.
    """
    return [share * (2 * timeout + LISTING_DELAY) for share in _LOOKUPS]


@dataclass(frozen=True)
class IdempotentCreate:
    """
    One thing to create.

    :param noun: what it is, for messages, and for the keys of its record in the store.
    :param store: durable state of the task instance.
    :param prepare: checks everything for a thing of this name, makes what it needs, and returns what creates it.
    :param get: returns the thing with this id.
    :param find: returns the things of exactly this name, the newest first.
    :param timeout: seconds a request may take.
    :param made_for: returns a fingerprint of the recipients, the same for the same ones in any order.
    :param created_at: returns when a thing was created, None when the vendor does not say.
    :param try_number: of the task; within a try the recipients are compared once.
    :param consumed: digests of what a person chose for this task instance, stored with the intent: see ``overrides``.
    """

    noun: str
    store: Store
    prepare: Callable[[str, CreationRecord], Callable[[], Created]]
    get: Callable[[str], Created]
    find: Callable[[str], list[Created]]
    timeout: float
    made_for: Callable[[], str] = str
    created_at: Callable[[Created], datetime | None] = lambda _: None
    try_number: int = 0
    consumed: Sequence[str] = ()

    def run(self, name: Callable[[int], str], clearing: Clearing) -> tuple[Created, CreationRecord]:
        """
        Return the thing, created now or by an earlier try, and what is known of it.

        :param name: given the record's generation, returns a unique name: it is how the thing is found again.
        :param clearing: the task was cleared, so that an earlier try must have stored a record; or is to start again.
        :raises AirflowFailException: it is not known whether it was created, or it was made for other recipients.
        :raises LedgerError: the record of an earlier try is missing or damaged, or another process has begun.
        """
        record = CreationRecord(self.store, self.noun, clearing.max_tries, start_again=clearing.start_again)
        began = bool(record.values.get("id")) or record.claim()
        if created_id := record.values.get("id"):
            self._check_recipients(record, clearing)
            log.info("An earlier try created the %s %s", self.noun, created_id)
            return {"id": created_id, **self.get(created_id)}, record
        if intended := record.values.get("intended"):
            self._check_recipients(record, clearing)
            return self._adopt(intended, "an earlier try ended while it was being created", record), record
        if clearing.cleared and not clearing.start_again and not began:
            reason = "the task was cleared, and there is no record of its earlier tries"
            return self._adopt(name(record.generation), reason, record), record
        return self._create(name(record.generation), record), record

    def _check_recipients(self, record: CreationRecord, clearing: Clearing) -> None:
        """
        Make sure that what an earlier try created, or may have created, was made for the same recipients.

        :raises AirflowFailException: it was made for others.
        :raises InputError: the task was cleared, and its recipients cannot be read.
        """
        before = record.values.get("made_for")
        # A rescheduled task comes here at each poll.
        if before is None or record.values.get("made_in_try") == self.try_number:
            return
        try:
            now = self.made_for()
        except InputError as error:
            if clearing.cleared:
                raise
            log.warning("The recipients cannot be compared with those of the earlier try: %s", error)
            return
        if now != before:
            thing = record.values.get("id") or repr(record.values["intended"])
            raise AirflowFailException(
                f"An earlier try of this task made the {self.noun} {thing} for other recipients than the task has now. "
                f"Nothing was created now. Give it the earlier recipients to get that {self.noun}, or clear this task "
                f"with on_cleared='resend' to create another one for the new recipients"
            )

    def _create(self, name: str, record: CreationRecord) -> Created:
        create = self.prepare(name, record)
        # A run that was deleted, and made again for the same recipients, has one of the same name.
        there = [str(thing["id"]) for thing in self.find(name)]
        made = {"made_for": self.made_for(), "made_in_try": self.try_number, "consumed": list(self.consumed)}
        record.intend(intended=name, intended_at=time.time(), there=there, **made)
        try:
            created = create()
        except OutcomeUnknownError as error:
            return self._adopt(name, str(error), record)
        except REFUSALS:
            record.save(intended=None)
            raise
        return self._keep(created, record)

    def _adopt(self, name: str, reason: str, record: CreationRecord) -> Created:
        """Return what the vendor has under this name, if it was not there before the intent."""
        log.warning("Looking up whether there is a %s %r: %s", self.noun, name, reason)
        for seconds in lookup_delays(self.timeout):
            sleep(seconds)
            if found := [thing for thing in self.find(name) if self._is_ours(thing, record)]:
                log.info("There is one: %s", found[0]["id"])
                return self._keep(found[0], record)
        raise AirflowFailException(
            f"Nobody knows whether the {self.noun} {name!r} was created ({reason}), and the vendor lists none of that "
            f"name. It is not created again, since that could contact everybody twice. If it turns up, clear this "
            f"task: it is taken then. If it does not, clear this task with on_cleared='resend' to create it"
        )

    def _is_ours(self, thing: Created, record: CreationRecord) -> bool:
        """Whether a thing of the right name can be the one that was intended."""
        created_at, intended_at = self.created_at(thing), record.values.get("intended_at")
        too_old = created_at and intended_at and created_at.timestamp() < intended_at - CLOCK_SKEW
        return str(thing["id"]) not in record.values.get("there", ()) and not too_old

    def _keep(self, created: Created, record: CreationRecord) -> Created:
        record.save(id=str(created["id"]), made_for=record.values.get("made_for") or self.made_for())
        return created


def task_digest(ti: Any, generation: int = 0, made_for: str = "") -> str:
    """
    Return 8 hexadecimal characters that stand for what one task instance creates, whatever its try.

    :param ti: the task instance; for None they are random.
    :param generation: of what was started again; 0: it never was.
    :param made_for: fingerprint of the recipients.
    """
    if ti is None:
        return secrets.token_hex(4)
    identity = [ti.dag_id, ti.run_id, ti.task_id, ti.map_index, generation, made_for]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]
