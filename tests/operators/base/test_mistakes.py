"""What is wrong is reported before the first request, with the field's name, and can be corrected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    InputError,
)
from airflow_provider_campaigns.operators.base.contacts import MOST_OUTCOMES_IN_XCOM
from tests.delivery.world import World, phones
from tests.operators.base.acme import PEOPLE, MakeAcme
from tests.operators.contexts import MakeContext


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"contacts": None}, "contacts, sql: expected exactly one of them, got none"),
        ({"contacts": ""}, "contacts, sql: expected exactly one of them, got none"),
        (
            {"sql": "SELECT 1", "sql_conn_id": "crm"},
            "contacts, sql: expected exactly one of them, got contacts and sql",
        ),
        (
            {"contacts": None, "sql": "SELECT 1"},
            "sql_conn_id: expected the id of a connection to a database, got nothing",
        ),
        ({"contacts": None, "sql": ["SELECT 1"], "sql_conn_id": "crm"}, "sql: expected a query as text, got list"),
        ({"contacts": []}, "contacts: expected at least one contact, got none"),
        ({"contacts": "contacts.xls"}, r"contacts: expected a file that ends in \.csv"),
        ({"contacts": "nowhere.csv"}, r"contacts \(nowhere.csv\): expected a file that can be read, got No such file"),
        ({"contacts": [{"tel": "1"}]}, "contacts: expected a column 'phone', got columns 'tel'"),
        ({"columns": {"name": "first"}}, r"columns: expected an entry for 'phone', got \['name'\]"),
        ({"columns": {"phone": "mobile"}}, "contacts: expected a column 'mobile', got columns 'phone', 'name'"),
        ({"columns": "phone"}, r"columns: expected a dict \{vendor field: source column\}, got str"),
        ({"exclude": "nowhere.csv"}, r"exclude \(nowhere.csv\): expected a file that can be read"),
        ({"exclude": 5}, "exclude: expected a list of dicts, a path or URL, or a table, got int"),
        ({"exclude": [{"a": 1, "b": 2}]}, "exclude: expected a column 'phone', or one column only, got row 1"),
        ({"batch_size": 0}, "batch_size: expected a whole number from 1, got 0"),
        ({"batch_size": "many"}, "batch_size: expected a whole number from 1, got 'many'"),
        ({"batch_size": 4}, "batch_size: expected at most 3, which is what one call takes, got 4"),
        ({"max_concurrency": -1}, "max_concurrency: expected a whole number from 1, got -1"),
        ({"max_recipients": "few"}, "max_recipients: expected a whole number from 1, got 'few'"),
        ({"max_recipients": 4}, r"contacts: expected at most 4 contacts to be sent to \(max_recipients\), got 5"),
        ({"max_rejected": -1}, r"max_rejected: expected a number of contacts \(int\) or a share"),
        ({"max_rejected": "few"}, "max_rejected: expected a number of contacts .* got 'few'"),
        ({"max_rejected": "nan"}, "max_rejected: expected a number of contacts .* got nan"),
        ({"max_rejected": True}, "max_rejected: expected a number of contacts .* got True"),
        ({"max_rejected": [1]}, r"max_rejected: expected a number of contacts .* got \[1\]"),
        (
            {"max_rejected": 5.0},
            "max_rejected: expected a share of the contacts from .* got 5.0",
        ),
        ({"max_rejected": "1.5"}, "max_rejected: expected a share of the contacts .* got 1.5"),
        ({"columns": {"phone": ["phone"]}}, r"columns: expected names as text, got 'phone': \['phone'\]"),
        ({"allow_repeats": "no"}, "allow_repeats: expected True or False, got 'no'"),
        ({"allow_repeats": 0}, "allow_repeats: expected True or False, got 0"),
        ({"on_unknown": "ignore"}, "on_unknown: expected fail or skip or resend, got 'ignore'"),
        ({"on_cleared": "skip"}, "on_cleared: expected resume or resend, got 'skip'"),
        ({"outcomes_path": "nowhere://bucket"}, "outcomes_path: expected a .*path.*URL"),
        ({"outcomes_path": "/proc/nowhere"}, "outcomes_path: expected a folder, path or URL, that can be written to"),
        ({"outcomes_path": ["x"]}, "outcomes_path: expected a folder, path or URL, got list"),
        ({"campaign": ""}, "campaign: expected the name of a campaign, got nothing"),
    ],
)
def test_a_mistake_is_reported_before_the_first_request_and_can_be_corrected(
    world: World,
    acme: MakeAcme,
    make_context: MakeContext,
    parameters: Mapping[str, Any],
    message: str,
) -> None:
    state: dict[str, str] = {}

    with pytest.raises(InputError, match=f"^{message}"):
        acme(**parameters).execute(make_context(state=state))

    assert world.requests == []
    # In a retry, and in a task that was cleared: it is known that nothing was sent.
    assert acme().execute(make_context(2, max_tries=2, state=state))["accepted"] == 5


def test_more_contacts_than_fit_into_an_xcom_need_a_folder(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    many = [{"phone": phone} for phone in phones(MOST_OUTCOMES_IN_XCOM + 1)]

    with pytest.raises(InputError, match="outcomes_path: expected a folder for more than 500 contacts, got 501 rows"):
        acme(contacts=many).execute(make_context())

    assert world.requests == []
    assert acme(contacts=many[1:]).execute(make_context())["accepted"] == 500
    assert acme(contacts=many, outcomes_path=str(tmp_path)).execute(make_context())["accepted"] == 501


@pytest.mark.parametrize("most", [3, "3"])
def test_only_those_to_be_contacted_count_as_recipients(
    acme: MakeAcme, make_context: MakeContext, most: int | str
) -> None:
    contacts = [*PEOPLE, PEOPLE[0], {"phone": "no number"}]

    receipt = acme(contacts=contacts, exclude=phones(2), max_recipients=most).execute(make_context())

    assert receipt["accepted"] == 3
    with pytest.raises(InputError, match=r"at most 3 contacts to be sent to \(max_recipients\), got 4"):
        acme(contacts=contacts, exclude=phones(1), max_recipients=most).execute(make_context())


def test_bytes_that_are_no_text_at_the_end_of_a_file_are_reported_before_the_first_request(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(b"phone,name\n+447700900000,Jo\n" + b"+447700900001,Jo\n" * 10_000 + b"+447700900002,Andr\xe9\n")

    with pytest.raises(InputError, match="expected UTF-8 text"):
        acme(contacts=str(path), outcomes_path=str(tmp_path)).execute(make_context())

    assert world.requests == []
