"""The contacts of an operator, from any source, without those that must not be sent to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_campaigns.exceptions import InputError, NoContactsError
from airflow_provider_campaigns.parameters import parse_positive_int

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.plan.preflight import PreflightResult
    from airflow_provider_campaigns.delivery.plan.reading import Reading
    from airflow_provider_campaigns.delivery.plan.sources import Options, Source
    from airflow_provider_campaigns.delivery.plan.sources.copies import Copied
    from airflow_provider_campaigns.hooks.base import CampaignHook
    from airflow_provider_campaigns.protocol.send import Send

OnEmpty = Literal["fail", "skip"]

# Up to so many contacts the outcomes fit into an XCom.
MOST_OUTCOMES_IN_XCOM = 500


def check_given(contacts: Any, sql: Any, sql_conn_id: str | None) -> None:
    """
    Refuse another number of sources than one.

    :raises InputError: it is another, or a query without a database.
    """
    given = {"contacts": contacts, "sql": sql}
    # A table is compared with nothing.
    names = [name for name, value in given.items() if value is not None and not (isinstance(value, str) and not value)]
    if len(names) != 1:
        raise InputError("contacts, sql", "exactly one of them", " and ".join(names) or "none")
    if sql and not isinstance(sql, str):
        raise InputError("sql", "a query as text", type(sql).__name__)
    if sql and not sql_conn_id:
        raise InputError("sql_conn_id", "the id of a connection to a database", "nothing")


def check_on_empty(on_empty: Any) -> None:
    """
    Refuse what is no choice of ``on_empty``.

    :raises InputError: it is none.
    """
    if on_empty not in get_args(OnEmpty):
        raise InputError("on_empty", " or ".join(get_args(OnEmpty)), repr(on_empty))


@contextmanager
def skips_when_empty(on_empty: OnEmpty, *, sent: bool = False) -> Iterator[None]:
    """
    Skip the task if there are no contacts, and ``on_empty`` says so.

    :param sent: contacts were there before, and some of them may have been sent to: that they are gone is an error.
    """
    try:
        yield
    except NoContactsError as error:
        if on_empty == "skip" and not sent:
            raise AirflowSkipException(f"{error} (on_empty is skip)") from None
        raise


def open_contacts(
    contacts: Any, sql: str | None, sql_conn_id: str | None, copy: Callable[[Copied], Source], options: Options
) -> Source:
    """
    Return the contacts.

    :param copy: makes a copy of what a query or a function returns, or finds the one that was made.
    :param options: how text files are read.
    :raises InputError: they cannot be read.
    """
    from dataclasses import replace

    from airflow_provider_campaigns.delivery.plan.sources import open_source
    from airflow_provider_campaigns.delivery.plan.sources.database import database
    from airflow_provider_campaigns.delivery.plan.sources.produced import Produced
    from airflow_provider_campaigns.delivery.plan.sources.query import Query

    if isinstance(contacts, Produced):
        return copy(replace(contacts, options=options))
    if sql:
        return copy(Query(sql, partial(database, str(sql_conn_id))))
    return open_source(contacts, options=options)


def open_reading(
    send: Send,
    hook: CampaignHook,
    *,
    columns: Mapping[str, str] | None,
    exclude: Any,
    allow_repeats: bool,
    encoding: str | None = None,
) -> Reading:
    """
    Return how rows become contacts.

    :param encoding: of text files in ``exclude`` that are no UTF-8.

    :raises InputError: ``exclude`` cannot be read.
    """
    from dataclasses import replace

    from airflow_provider_campaigns.delivery.plan.exclusions import read_exclusions
    from airflow_provider_campaigns.delivery.plan.reading import Reading
    from airflow_provider_campaigns.delivery.plan.sources import Options, open_source

    reading = Reading(send, columns, only_recipients=hook.only_recipients, allow_repeats=allow_repeats)
    if exclude is None:
        return reading
    options = Options(encoding, only_if_no_utf8=True)
    try:
        opt_outs = open_source(exclude, "exclude", plain=True, options=options)
    except NoContactsError as error:
        # Not for ``on_empty``: that is about those who are sent to.
        raise InputError(error.field, error.expected, "nothing") from None
    return replace(reading, excluded=read_exclusions(opt_outs, reading))


def check_number(
    checked: PreflightResult, reading: Reading, source: Source, *, max_recipients: Any, outcomes_path: str | None
) -> None:
    """
    Refuse too many contacts.

    :raises InputError: more than ``max_recipients`` would be sent to, or there is no place for so many outcomes.
    """
    from airflow_provider_campaigns.delivery.plan.preflight import count_recipients

    if checked.rows > MOST_OUTCOMES_IN_XCOM and not outcomes_path:
        expected = f"a folder for more than {MOST_OUTCOMES_IN_XCOM} contacts"
        raise InputError("outcomes_path", expected, f"{checked.rows} rows")
    most = parse_positive_int("max_recipients", max_recipients)
    # Only now, as it takes as long as all other checks: who of them would be sent to?
    if most is not None and checked.rows > most and (recipients := count_recipients(reading, source)) > most:
        raise InputError(source.name, f"at most {most} contacts to be sent to (max_recipients)", recipients)
