"""
Puts the numbers of a campaign that rings more than one request takes into contact lists at Exotel.

Nobody is rung before the campaign is created, so a list in doubt is abandoned and another one made. Contacts go onto a
list in steps; a number is on one list only, and once (unless it is to be rung as often as it is given).

=====================================================  ========================================================
a crash …                                              a later try …
=====================================================  ========================================================
before a list's name is stored                         names it
between the name and the stored id                     adopts the list of that name if it is empty, else makes it;
                                                       Exotel takes no second list of a name
while contacts are created                             creates them again: a contact on no list is never rung
between "adding" and what became of it                 counts the contacts on the list as long as the request may still
                                                       arrive: all there: continues; else abandons the list and makes
                                                       another
between two steps                                      continues with the next contacts
after the last, before the campaign is intended        takes the lists as they are
at any time, and the contacts are others now           abandons the lists and makes others
=====================================================  ========================================================
"""

from __future__ import annotations

import logging
from itertools import islice
from time import sleep
from typing import TypedDict

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.operators._exotel.recipients import CampaignRecipients
from airflow_provider_campaigns.operators.base.creation_record import CreationRecord
from airflow_provider_campaigns.operators.base.idempotent_create import lookup_delays
from airflow_provider_campaigns.vendors.exotel.contact_lists import MOST_CONTACTS, MOST_IN_A_LIST

log = logging.getLogger(__name__)


class ContactList(TypedDict):
    """A list as the record has it: ``size`` contacts are on it for sure, ``adding`` more may be."""

    name: str
    id: str | None
    size: int
    adding: int


class ContactLists:
    """
    The contact lists of one campaign, made over as many tries as it takes.

    :param hook: the connection.
    :param record: where the steps are stored.
    :param name: of the campaign, unique; the lists have it and a number that is never used again.
    """

    def __init__(self, hook: ExotelHook, record: CreationRecord, name: str) -> None:
        self._hook = hook
        self._record = record
        self._name = name

    def make(self, recipients: CampaignRecipients, *, repeat: bool) -> list[str]:
        """
        Return the ids of lists that hold the numbers.

        :param repeat: put a number on them as often as it is given.
        :raises VendorError: a step failed; a later try continues after the last that did not.
        """
        of = recipients.identify_rung(repeat=repeat)
        if self._record.values.get("lists_of") != of:
            self._record.save(lists_of=of, lists=[])
        self._settle()
        there, done = sum(one["size"] for one in self._lists), 0
        numbers = recipients.numbers(repeat=repeat)
        while batch := list(islice(numbers, MOST_CONTACTS)):
            if rest := batch[max(there - done, 0) :]:
                self._add(rest)
            done += len(batch)
        return [str(one["id"]) for one in self._lists]

    @property
    def _lists(self) -> list[ContactList]:
        lists: list[ContactList] = self._record.values.get("lists", [])
        return lists

    def _keep(self, last: ContactList | None, *, intend: bool = False) -> None:
        """Store what is known of the last list; None abandons it."""
        lists = [*self._lists[:-1], *([last] if last else [])]
        (self._record.intend if intend else self._record.save)(lists=lists)

    def _settle(self) -> None:
        """Find out what became of the step at which an earlier try ended."""
        last = self._lists[-1] if self._lists else None
        if last and last["adding"]:
            self._check_added(last)
        elif last and last["id"] is None:
            self._identify(last)

    def _add(self, batch: list[str]) -> None:
        """Put up to 5,000 numbers on the last list, or on a new one when that is full."""
        if not self._lists or self._lists[-1]["size"] + len(batch) > MOST_IN_A_LIST:
            self._open()
        last = self._lists[-1]
        contact_ids = self._hook.create_contacts(batch)
        last = {**last, "adding": len(batch)}
        self._keep(last, intend=True)
        try:
            self._hook.add_contacts_to_list(str(last["id"]), contact_ids)
        except OutcomeUnknownError:
            if not self._check_added(last):
                raise
        except RequestRejectedError:
            # Some of them may be on it.
            self._abandon(last)
            raise
        except (CallRefusedError, VendorUnavailableError):
            self._keep({**last, "adding": 0})
            raise
        else:
            self._keep_added(last)

    def _open(self) -> None:
        """Make an empty list."""
        identified = False
        while not identified:
            number = self._record.values.get("list_number", 0) + 1
            new = ContactList(name=f"{self._name} {number}", id=None, size=0, adding=0)
            self._record.save(list_number=number, lists=[*self._lists, new])
            identified = self._identify(new)

    def _identify(self, last: ContactList) -> bool:
        """Give the last list its id; one that is not empty is abandoned."""
        list_id = self._empty_list(last["name"])
        if list_id:
            self._keep({**last, "id": list_id})
        else:
            self._abandon(last)
        return bool(list_id)

    def _empty_list(self, name: str) -> str | None:
        """Return the id of the list of this name, created now or there already; None when it is not empty."""
        try:
            return self._hook.create_list(name)
        except (RequestRejectedError, OutcomeUnknownError):
            found = self._hook.find_list(name)
            if not found:
                raise
        return found if self._hook.count_list(found) == 0 else None

    def _check_added(self, last: ContactList) -> bool:
        """Check whether all that was being added is on the list; if that cannot be known, abandon the list."""
        wanted = last["size"] + last["adding"]
        for seconds in lookup_delays(self._hook.fields.settings.timeout):
            sleep(seconds)
            count = self._hook.count_list(str(last["id"]))
            if count == wanted:
                self._keep_added(last)
                return True
            if count is None:
                break
        self._abandon(last)
        return False

    def _keep_added(self, last: ContactList) -> None:
        size = last["size"] + last["adding"]
        self._keep({**last, "size": size, "adding": 0})
        log.info("Contact list %s holds %s contacts", last["name"], f"{size:,}")

    def _abandon(self, last: ContactList) -> None:
        self._keep(None)
        log.warning("Contact list %r may hold some of the contacts; it is not used, you may delete it", last["name"])
