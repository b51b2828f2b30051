"""
Creates something at a vendor that must not exist twice, whatever crashes: intent, request, id.

=======================================  ==============================================================
a crash …                                a later try …
=======================================  ==============================================================
before the intent is stored              creates it
between the intent and the stored id     looks for its name at the vendor and adopts what it finds; if
                                         nothing is found it fails for good: it never creates it again
after the id is stored                   returns it
=======================================  ==============================================================

What is prepared before the intent (contact lists) contacts nobody, and keeps its own steps in the same record.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    LedgerError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.state.cleared import Clearing

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.store import Store

log = logging.getLogger(__name__)

Created = dict[str, Any]

# When the vendor is asked what became of a request, in request time-outs after the look before: one that was on its way
# when its sender died may still arrive.
LOOKUP_DELAYS = (0, 2 / 3, 4 / 3)
# What a request ends with when it surely was not carried out.
REFUSALS = (InputError, RequestRejectedError, CallRefusedError, VendorUnavailableError)


class CreationRecord:
    """
    What the tries of a task instance know of the thing they create; the latest try's copy counts.

    Each try writes a key of its own: a task that was marked failed and cleared runs beside its successor for some
    seconds, and neither may overwrite the other.

    :param store: durable state of the task instance.
    :param noun: start of the keys.
    :param max_tries: how many tries Airflow allows, which is more each time the task is cleared.
    :param anew: if it was cleared since the latest try, begin anew: earlier tries do not count.
    """

    def __init__(self, store: Store, noun: str, max_tries: int = 0, *, anew: bool = False) -> None:
        self._store = store
        self._noun = noun
        self._max_tries = max_tries
        self._anew = anew
        self._number = 0
        self.values = self._latest()

    @property
    def generation(self) -> int:
        """Tells what was begun anew from what was before; 0: it never was."""
        return int(self.values["generation"])

    def claim(self) -> bool:
        """
        Begin a try, and return whether an earlier one did.

        From here on, what an earlier try that still runs intends is seen here, or seen to be too late there.
        """
        earlier = self._newest()
        self._number = earlier + 1
        self._store.set(self._key("latest"), self._number)
        self.values = self._latest()
        self.save(max_tries=self._max_tries)
        return earlier > 0

    def save(self, **changes: Any) -> None:
        """Store changes durably, or raise."""
        self.values = {**self.values, **changes}
        self._store.set(self._key(self._number), self.values)

    def intend(self, **changes: Any) -> None:
        """
        Store what is about to be asked of the vendor.

        :raises LedgerError: a later try has begun; nothing may be asked any more.
        """
        before = self.values
        self.save(**changes)
        if self._newest() != self._number:
            self.values = before
            self.save()
            raise LedgerError("a later try of this task has begun; this one does nothing more")

    def _latest(self) -> dict[str, Any]:
        for number in range(self._newest(), 0, -1):
            if values := self._store.get(self._key(number)):
                cleared_since = values["max_tries"] < self._max_tries
                return self._none() if self._anew and cleared_since else dict(values)
        return self._none()

    def _none(self) -> dict[str, Any]:
        return {"generation": self._max_tries if self._anew else 0}

    def _newest(self) -> int:
        return self._store.get(self._key("latest")) or 0

    def _key(self, name: object) -> str:
        return f"{self._noun}-{name}"


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
    """

    noun: str
    store: Store
    prepare: Callable[[str, CreationRecord], Callable[[], Created]]
    get: Callable[[str], Created]
    find: Callable[[str], list[Created]]
    timeout: float

    def run(self, name: Callable[[int], str], clearing: Clearing) -> tuple[Created, CreationRecord]:
        """
        Return the thing, created now or by an earlier try, and what is known of it.

        :param name: given the record's generation, returns a unique name: it is how the thing is found again.
        :param clearing: the task was cleared, so that an earlier try must have left a record; or is to begin anew.
        :raises AirflowFailException: nobody knows whether it was created.
        """
        record = CreationRecord(self.store, self.noun, clearing.max_tries, anew=clearing.anew)
        began = bool(record.values.get("id")) or record.claim()
        if created_id := record.values.get("id"):
            log.info("An earlier try created the %s %s", self.noun, created_id)
            return {"id": created_id, **self.get(created_id)}, record
        if record.values.get("intended"):
            reason = "an earlier try ended while it was being created"
            return self._adopt(record.values["intended"], reason, record), record
        if clearing.cleared and not clearing.anew and not began:
            reason = "the task was cleared, and there is no record of its earlier tries"
            return self._adopt(name(record.generation), reason, record), record
        return self._create(name(record.generation), record), record

    def _create(self, name: str, record: CreationRecord) -> Created:
        create = self.prepare(name, record)
        record.intend(intended=name)
        try:
            created = create()
        except OutcomeUnknownError as error:
            return self._adopt(name, str(error), record)
        except REFUSALS:
            record.save(intended=None)
            raise
        return self._keep(created, record)

    def _adopt(self, name: str, reason: str, record: CreationRecord) -> Created:
        """Return what the vendor has under this name."""
        log.warning("Looking whether there is a %s %r: %s", self.noun, name, reason)
        for timeouts in LOOKUP_DELAYS:
            sleep(timeouts * self.timeout)
            if found := self.find(name):
                log.info("There is one")
                return self._keep(found[0], record)
        raise AirflowFailException(
            f"Nobody knows whether the {self.noun} {name!r} was created ({reason}), and the vendor lists none of that "
            f"name. It is not created again, since that could contact everybody twice. If it turns up, clear this "
            f"task: it is taken then. If it does not, clear this task with on_cleared='resend' to create it"
        )

    def _keep(self, created: Created, record: CreationRecord) -> Created:
        record.save(id=str(created["id"]))
        return created


def task_digest(ti: Any, generation: int = 0) -> str:
    """
    Return 8 hexadecimal characters that stand for one task instance, whatever its try.

    :param ti: the task instance; for None they are random.
    :param generation: of what was begun anew; 0: it never was.
    """
    if ti is None:
        return secrets.token_hex(4)
    identity = [ti.dag_id, ti.run_id, ti.task_id, ti.map_index, *([generation] if generation else [])]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]
