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
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
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

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.ledger import Store

log = logging.getLogger(__name__)

Created = dict[str, Any]

# When the vendor is asked for the name, in request time-outs after the look before: a request that was on its way when
# its sender died may still arrive.
LOOKS = (0, 2 / 3, 4 / 3)
# What the request ends with when it surely was not carried out.
REFUSALS = (InputError, RequestRejectedError, CallRefusedError, VendorUnavailableError)


@dataclass(frozen=True)
class CreateOnce:
    """
    One thing to create.

    :param noun: what it is, for messages: also the key of its record in the store.
    :param store: durable state of the task instance.
    :param prepare: checks everything for a thing of this name, and returns what creates it.
    :param get: returns the thing with this id.
    :param find: returns the things of exactly this name, the newest first.
    :param timeout: seconds a request may take.
    """

    noun: str
    store: Store
    prepare: Callable[[str], Callable[[], Created]]
    get: Callable[[str], Created]
    find: Callable[[str], list[Created]]
    timeout: float

    def run(self, name: str, *, cleared: bool = False) -> Created:
        """
        Return the thing, created now or by an earlier try.

        :param name: unique: it is how the thing is found again.
        :param cleared: the task was cleared, so that an earlier try must have left a record.
        :raises AirflowFailException: nobody knows whether it was created.
        """
        record = self.store.get(self.noun)
        if record is None and cleared:
            return self._adopt(name, "the task was cleared, and the record of its earlier tries is gone")
        record = record or {}
        if record.get("id"):
            log.info("An earlier try created the %s %s", self.noun, record["id"])
            return {"id": record["id"], **self.get(record["id"])}
        if record.get("intent"):
            return self._adopt(record["intent"]["name"], "an earlier try ended while it was being created")
        return self._create(name)

    def _create(self, name: str) -> Created:
        self.store.set(self.noun, {"intent": None})
        create = self.prepare(name)
        self.store.set(self.noun, {"intent": {"name": name}})
        try:
            created = create()
        except OutcomeUnknownError as error:
            return self._adopt(name, str(error))
        except REFUSALS:
            self.store.set(self.noun, {"intent": None})
            raise
        return self._keep(created)

    def _adopt(self, name: str, reason: str) -> Created:
        """Return what the vendor has under this name."""
        log.warning("Looking whether there is a %s %r: %s", self.noun, name, reason)
        for timeouts in LOOKS:
            sleep(timeouts * self.timeout)
            if found := self.find(name):
                log.info("There is one")
                return self._keep(found[0])
        raise AirflowFailException(
            f"Nobody knows whether the {self.noun} {name!r} was created ({reason}), and the vendor lists none of that "
            f"name. It is not created again, since that could contact everybody twice. If it turns up, clear this "
            f"task: it is taken then. If it does not, trigger a new DAG run to create it"
        )

    def _keep(self, created: Created) -> Created:
        self.store.set(self.noun, {"id": str(created["id"])})
        return created
