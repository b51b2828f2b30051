"""
What one delivery notes: whom it is about to contact, and what became of them; and whom it may not contact.

A contact that is about to be sent to, was reached, or may have been, holds a place under every cap; one that was
refused, or was not sent, does not. Who holds a place is counted while the person is locked (the table ``people``), in
the transaction that stores the intent: of any number of deliveries at once, no more than the cap allows reach anybody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import sqlalchemy as sa

from airflow_provider_campaigns.history import suppression
from airflow_provider_campaigns.history.caps import Cap
from airflow_provider_campaigns.history.database import in_parts, now
from airflow_provider_campaigns.history.tables import COUNTS, LONGEST_TEXT, contacts, deliveries, people
from airflow_provider_campaigns.protocol.history import ContactEnd, HeldBack

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from airflow_provider_campaigns.history.connection import History
    from airflow_provider_campaigns.protocol.send import Contact

# Seconds by which the clocks of two workers may differ.
CLOCKS_DIFFER = 1.0

# Statuses of contacts that hold a place under a cap.
INTENDED = "intended"
HOLDING = (INTENDED, "accepted", "unknown")
# Those of contacts that were never sent to.
HELD_BACK = ("capped", "invalid")

# What deliveries in the same scope have in common.
_SAME: Mapping[str, Sequence[str]] = {
    "": (),
    "campaign": ("vendor", "account", "campaign"),
    "vendor": ("vendor",),
    "channel": ("channel",),
}

# Columns of a delivery that a later try may change.
_ABOUT = ("vendor", "account", "campaign", "channel", "outcomes_path")


class TaskKey(NamedTuple):
    """A task instance; -1 stands for a task that is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    def digest(self, *more: int) -> bytes:
        """Return what stands for the task instance in keys."""
        return hashlib.sha256(json.dumps([*self, *more]).encode()).digest()


@dataclass(frozen=True)
class About:
    """
    What is delivered where.

    :param channel: of the messages: ``sms``, ``email``, ``call`` …; empty: nobody is contacted.
    :param region: country of phone numbers without ``+``.
    """

    vendor: str
    account: str
    campaign: str
    channel: str
    outcomes_path: str | None = None
    region: str | None = None

    def columns(self) -> dict[str, Any]:
        """Return it as it is stored."""
        texts = {name: str(getattr(self, name))[:LONGEST_TEXT] for name in _ABOUT[:-1]}
        return {**texts, "outcomes_path": self.outcomes_path}


class DeliveryHistory:
    """
    The history of one delivery.

    :param history: of all deliveries.
    :param task: the task instance.
    :param about: what is delivered where.
    :param caps: how often a person may be contacted.
    :param generation: number of the first try that counts: of those before, people may be sent to again.
    :param began: when the first try that counts began, seconds since the epoch; 0: that is not known. What was noted
        before it under the same names is of a run that was deleted, and counts as that of any other delivery.
    :param sends_at: when the vendor sends what it is given, in UTC without a zone; None: at once.
    """

    def __init__(
        self,
        history: History,
        task: TaskKey,
        about: About,
        caps: Sequence[Cap] = (),
        *,
        generation: Callable[[], int] = lambda: 0,
        began: Callable[[], float] = lambda: 0.0,
        sends_at: datetime | None = None,
    ) -> None:
        self._history = history
        self._database = history.database
        self._task = task
        self._about = about
        self._caps = caps if about.channel else ()
        self._generation = generation
        self._began = began
        self._id: tuple[int, int] | None = None
        self._sends_at = sends_at
        self._noted: object = None

    @property
    def id(self) -> int:
        """What the delivery is called in the tables."""
        generation = self._generation()
        if self._id is None or self._id[0] != generation:
            self._id = generation, self._database.run(lambda connection: self._find_id(connection, generation))
        return self._id[1]

    def _find_id(self, connection: Connection, generation: int) -> int:
        """Return the first id that is this delivery's, or nobody's."""
        began = self._began()
        for number in count():
            digest = self._task.digest(generation, *([number] if number else []))
            found = int.from_bytes(digest[:8], "big") >> 1
            begun = connection.execute(sa.select(deliveries.c.begun).where(deliveries.c.id == found)).scalar()
            if begun is None or begun.replace(tzinfo=UTC).timestamp() > began - CLOCKS_DIFFER:
                break
        return found

    # --- contacts

    def reserve(self, contacts: Sequence[tuple[int, Contact]], again: Collection[int] = ()) -> Mapping[int, HeldBack]:
        """Note contacts that are about to be sent to, and return those that must not be, by row."""
        if not contacts:
            return {}
        return self._database.run(lambda connection: self._reserve(connection, contacts, again))

    def settle(self, ends: Iterable[ContactEnd]) -> None:
        """Note what became of contacts."""
        ends = [end for end in ends if end.status not in HELD_BACK]
        if ends:
            self._database.run(lambda connection: self._settle(connection, ends))

    def release(self, first: int, last: int) -> None:
        """Give back what rows from first to last reserved."""
        own = sa.and_(
            contacts.c.delivery == self.id, contacts.c.source_row.between(first, last), contacts.c.status == INTENDED
        )
        self._database.run(
            lambda connection: connection.execute(sa.update(contacts).where(own).values(status="unsent"))
        )

    def settle_intended(self, status: str, vendor_id: str | None = None, check: Callable[[], object] = bool) -> None:
        """
        Note the same of all contacts that were reserved, and of which nothing else is noted.

        :param check: is asked while they are locked, and raises if that must not be noted: a later try of the same
            task, which may have reserved them again, is seen then, or waits for them.
        """
        own = sa.and_(contacts.c.delivery == self.id, contacts.c.status == INTENDED)
        noted = {"status": status, "vendor_id": vendor_id and vendor_id[:LONGEST_TEXT]}

        def settle(connection: Connection) -> None:
            connection.execute(sa.update(contacts).where(own).values(**noted))
            check()

        self._database.run(settle)

    def held_back(self, first: int, last: int) -> Mapping[int, HeldBack]:
        """Return the rows from first to last that an earlier try held back."""
        statement = sa.select(contacts.c.source_row, contacts.c.status, contacts.c.reason).where(
            contacts.c.delivery == self.id,
            contacts.c.source_row.between(first, last),
            contacts.c.status.in_(HELD_BACK),
        )
        rows = self._database.run(lambda connection: connection.execute(statement).all())
        return {row: HeldBack(status, reason or "") for row, status, reason in rows}

    def _reserve(
        self, connection: Connection, pairs: Sequence[tuple[int, Contact]], again: Collection[int]
    ) -> dict[int, HeldBack]:
        delivery = self._note_delivery(connection)
        held = suppression.find(self._history, connection, pairs, self._about.region)
        if self._caps:
            held |= self._over_caps(connection, delivery, [(row, contact) for row, contact in pairs if row not in held])
        at = self._at
        noted = [(row, contact) for row, contact in pairs if row not in held or row not in again]
        rows = [
            _row(delivery, row, identity, at, held.get(row, _FREE))
            for row, contact in noted
            for identity in self._identities(contact)
        ]
        # The time of an earlier try's intent is left behind: it is sent now.
        self._database.upsert(connection, contacts, rows, ["status", "reason", "at"])
        self._delete_older(connection, delivery, noted)
        return held

    def _settle(self, connection: Connection, ends: Sequence[ContactEnd]) -> None:
        delivery = self._note_delivery(connection)
        at = self._at
        rows = [
            _row(delivery, end.row, identity, at, end) for end in ends for identity in self._identities(end.contact)
        ]
        self._database.upsert(connection, contacts, rows, ["status", "reason", "vendor_id"])
        self._delete_older(connection, delivery, [(end.row, end.contact) for end in ends])

    def _delete_older(self, connection: Connection, delivery: int, pairs: Sequence[tuple[int, Contact]]) -> None:
        """Delete what earlier tries noted of contacts under a key that was replaced since; it would count as well."""
        older = [
            {"of_row": row, "of_person": written}
            for row, contact in pairs
            for person in contact.persons
            for written in self._history.hasher.all_written(person.key)[1:]
        ]
        if older:
            own = (
                contacts.c.delivery == delivery,
                contacts.c.source_row == sa.bindparam("of_row"),
                contacts.c.identity == sa.bindparam("of_person"),
            )
            connection.execute(sa.delete(contacts).where(*own), older)

    def _identities(self, contact: Contact) -> list[str]:
        """Return how the people of a contact are written."""
        written = self._history.hasher.written
        persons = contact.persons
        if len(persons) == 1:
            return [written(persons[0].key)]
        return list(dict.fromkeys(written(person.key) for person in persons))

    @property
    def _at(self) -> datetime:
        return max(now(), self._sends_at) if self._sends_at else now()

    # --- caps

    def _over_caps(
        self, connection: Connection, delivery: int, pairs: Sequence[tuple[int, Contact]]
    ) -> dict[int, HeldBack]:
        """Return the contacts that are over a cap, by row; their people stay locked until the transaction ends."""
        at = self._at
        ids = {row: self._identities(contact) for row, contact in pairs}
        every = sorted({identity for some in ids.values() for identity in some})
        # Sorted: two deliveries that lock the same people do so in the same order.
        self._database.upsert(connection, people, [{"identity": one, "at": at} for one in every], ["at"])
        places = _Places(self._about.columns(), delivery, at)
        self._find_places(connection, pairs, places)
        held: dict[int, HeldBack] = {}
        for row, some in ids.items():
            full = next((cap for cap in self._caps for one in some if places.taken(one, row, cap) >= cap.most), None)
            if full:
                held[row] = HeldBack("capped", str(full))
            else:
                places.take(some, row)
        return held

    def _find_places(self, connection: Connection, pairs: Sequence[tuple[int, Contact]], places: _Places) -> None:
        """Add the places that are held under the caps."""
        hasher = self._history.hasher
        current = {
            older: hasher.written(person.key)
            for _, contact in pairs
            for person in contact.persons
            for older in hasher.all_written(person.key)
        }
        scopes = sorted({cap.scope for cap in self._caps if cap.scope})
        columns = [contacts.c.identity, contacts.c.delivery, contacts.c.source_row, contacts.c.at]
        source: Any = contacts
        if scopes:
            columns += [deliveries.c[name] for name in ("vendor", "account", "campaign", "channel")]
            source = contacts.outerjoin(deliveries, deliveries.c.id == contacts.c.delivery)
        since = places.at - max(cap.period for cap in self._caps)
        for part in in_parts(current):
            statement = (
                sa.select(*columns)
                .select_from(source)
                .where(contacts.c.identity.in_(part), contacts.c.at > since, contacts.c.status.in_(HOLDING))
            )
            for identity, delivery, row, taken_at, *about in connection.execute(statement):
                places.add(current[identity], _Place(delivery, row, taken_at, *about))

    # --- the delivery itself

    def _note_delivery(self, connection: Connection) -> int:
        """Make the delivery's row, unless it is there, and return its id."""
        delivery = self.id
        # A transaction that was lost since may have been that one.
        noted = (delivery, self._database.lost)
        if self._noted != noted:
            self._write(connection, "running", {}, ended=False)
            self._noted = noted
        return delivery

    def end(self, state: Literal["complete", "incomplete"], counts: Mapping[str, Any]) -> None:
        """Note how a try ended, given its receipt."""
        self._database.run(lambda connection: self._write(connection, state, counts, ended=True))

    def _write(self, connection: Connection, state: str, counts: Mapping[str, Any], *, ended: bool) -> None:
        row = {
            "id": self.id,
            **self._task._asdict(),
            "generation": self._generation(),
            **self._about.columns(),
            "state": state,
            "begun": now(),
            "ended": now() if ended else None,
            **{name: int(counts.get(name, 0)) for name in COUNTS},
        }
        update = ["state", "ended", *_ABOUT, *(COUNTS if ended else ())]
        self._database.upsert(connection, deliveries, [row], update)


class _Free(NamedTuple):
    """What is noted of a contact that is about to be sent to."""

    status: str = INTENDED
    reason: None = None


_FREE = _Free()


def _row(delivery: int, row: int, identity: str, at: datetime, noted: _Free | HeldBack | ContactEnd) -> dict[str, Any]:
    vendor_id = getattr(noted, "vendor_id", None)
    return {
        "delivery": delivery,
        "source_row": row,
        "identity": identity,
        "status": noted.status,
        "reason": noted.reason and noted.reason[:LONGEST_TEXT],
        "vendor_id": vendor_id and vendor_id[:LONGEST_TEXT],
        "at": at,
    }


class _Place(NamedTuple):
    """A place under caps that a contact holds."""

    delivery: int
    row: int
    at: datetime
    vendor: str | None = None
    account: str | None = None
    campaign: str | None = None
    channel: str | None = None


class _Places:
    """
    Places under caps, by person.

    :param about: of the delivery that asks.
    :param delivery: that asks.
    :param at: when it would contact people.
    """

    def __init__(self, about: Mapping[str, Any], delivery: int, at: datetime) -> None:
        self._about = about
        self._delivery = delivery
        self.at = at
        self._held: dict[str, list[_Place]] = {}

    def add(self, identity: str, place: _Place) -> None:
        """Add a place that is held."""
        self._held.setdefault(identity, []).append(place)

    def take(self, identities: Sequence[str], row: int) -> None:
        """Add the places that a contact of the delivery takes, which is not there yet."""
        about = (self._about[name] for name in ("vendor", "account", "campaign", "channel"))
        place = _Place(self._delivery, row, self.at, *about)
        for identity in identities:
            self.add(identity, place)

    def taken(self, identity: str, row: int, cap: Cap) -> int:
        """Return how many places under a cap others have than a contact of the delivery itself."""
        return sum(
            (place.delivery, place.row) != (self._delivery, row)
            and abs(place.at - self.at) < cap.period
            and self._counts(place, cap)
            for place in self._held.get(identity, ())
        )

    def _counts(self, place: _Place, cap: Cap) -> bool:
        """Whether a place is in the scope of a cap."""
        return all(getattr(place, name) == self._about[name] for name in _SAME[cap.scope])
