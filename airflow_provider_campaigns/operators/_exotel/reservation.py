"""
Who of a campaign's people may be rung, as the contact history has it, and what became of them.

A campaign is created for all of its numbers or for none, so what is noted of them is one thing for all: they are
reserved before the request is sent, and end as ``accepted`` when the campaign exists, as ``unsent`` when it was not
created, and as ``unknown`` when nobody knows. Whom the history holds back is not among them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_campaigns.exceptions import CampaignError, InputError
from airflow_provider_campaigns.identity import known_region
from airflow_provider_campaigns.operators.base.task_history import (
    TaskHistory,
    account_of,
    note_end,
    open_task_history,
)
from airflow_provider_campaigns.protocol.send import Contact

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.identity import Person
    from airflow_provider_campaigns.operators._exotel.create import CreateExotelCampaignOperator
    from airflow_provider_campaigns.operators._exotel.recipients import CampaignRecipients
    from airflow_provider_campaigns.operators.base.creation_record import CreationRecord
    from airflow_provider_campaigns.protocol.history import ContactHistory, HeldBack
    from airflow_provider_campaigns.state.patience import Patience

log = logging.getLogger(__name__)

# By what people are contacted.
CHANNEL = "call"
# People who are reserved in one transaction: whoever waits for them does not wait long.
MOST_AT_A_TIME = 1_000


class Reservation:
    """
    What the history knows of one campaign; as a context manager, it notes that nobody was rung if that fails.

    :param operator: that creates the campaign.
    :param patience: how long the database is waited for.
    """

    def __init__(self, operator: CreateExotelCampaignOperator, context: Context, patience: Patience) -> None:
        self._operator = operator
        self._context = context
        self._patience = patience
        self._opened = TaskHistory()
        self._taken: tuple[ContactHistory, CreationRecord] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            if error is not None and self._taken:
                self._note_failure(error, *self._taken)
        finally:
            self._opened.close()

    def take(
        self, whom: CampaignRecipients, record: CreationRecord, send_at: datetime | None, *, repeat: bool
    ) -> CampaignRecipients:
        """
        Reserve people, and return them without those who must not be rung.

        :param record: of the campaign.
        :param send_at: when they are rung, None: at once.
        :param repeat: as often as they are given.
        :raises InputError: a parameter is wrong, or they are on lists at Exotel and there is a cap.
        :raises HistoryError: the database cannot be used.
        :raises LedgerError: a later process of the task has begun.
        """
        history = self._open(record, send_at)
        if history is None:
            return whom
        self._taken = history, record
        if whom.lists:
            self._check_lists()
            return whom
        # Nobody was rung yet: what an earlier try reserved, perhaps of other people, is void.
        history.settle_intended("unsent", check=record.check_latest)
        held_back: dict[int, HeldBack] = {}
        people = whom.people(repeat=repeat)
        while part := [(row, _contact(person)) for row, person in islice(people, MOST_AT_A_TIME)]:
            held_back |= history.reserve(part)
        return replace(whom, held_back=held_back)

    def settle(self, campaign: Mapping[str, Any], record: CreationRecord, receipt: Mapping[str, Any]) -> None:
        """Note that the campaign exists, and its people are rung."""
        ti, history = self._context.get("ti"), self._taken[0] if self._taken else None
        # An earlier try may have ended before it noted that; a rescheduled task comes here at each poll.
        if history is None and ti and record.values.get("made_in_try") != ti.try_number:
            try:
                history = self._open(record, None)
            except CampaignError as error:
                log.warning("That the campaign was created could not be noted in the history: %s", error)
        if history and _noted(lambda: history.settle_intended("accepted", str(campaign["id"]))):
            note_end(history, "complete", receipt)

    def _open(self, record: CreationRecord, send_at: datetime | None) -> ContactHistory | None:
        """Return the history of the campaign, None where none is configured."""
        operator = self._operator
        self._opened = open_task_history(operator, self._context, self._patience)
        if self._opened.history is None:
            return None
        return self._opened.of(
            lambda: record.generation,
            send_at,
            began=lambda: record.began,
            vendor=operator.hook.conn_type,
            account=account_of(operator.hook),
            campaign=operator.name,
            channel=CHANNEL,
            region=known_region(operator.region) or operator.hook.region,
        )

    def _check_lists(self) -> None:
        if self._opened.caps:
            expected = (
                "numbers or contacts: frequency_cap cannot be checked for lists, whose numbers only Exotel knows "
                "(an empty frequency_cap checks none)"
            )
            raise InputError("lists", expected, "lists")
        log.warning("Who is on the lists at Exotel is not known: the suppression list is not checked for them")

    def _note_failure(self, error: BaseException, history: ContactHistory, record: CreationRecord) -> None:
        """Give the places back, unless the campaign may exist, or a later process of the task may ring them."""
        if isinstance(error, AirflowSkipException):
            note_end(history, "complete", record.values.get("counts") or {})
            return
        if not record.values.get("intended"):
            noted = _noted(lambda: history.settle_intended("unsent", check=record.check_latest))
        else:
            noted = isinstance(error, AirflowFailException) and _noted(lambda: history.settle_intended("unknown"))
        if noted:
            note_end(history, "incomplete", {})


def _contact(person: Person) -> Contact:
    return Contact(person.text, {}, (person.text,), person.key, (person,))


def _noted(note: Callable[[], None]) -> bool:
    """Note what became of people; as long as that cannot be done they hold their places."""
    try:
        note()
    except CampaignError as error:
        log.warning("What became of the campaign's numbers could not be noted in the history: %s", error)
        return False
    return True
