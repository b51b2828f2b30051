"""Numbers of a campaign in files as people have them, and without anybody in them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import contacted
from tests.operators.contexts import MakeContext
from tests.operators.exotel.campaigns import NUMBERS, create, posts


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def packed(folder: Path) -> Any:
    return write(folder / "n.csv.gz", gzip.compress(f"Number\n{NUMBERS[0]}\n{NUMBERS[1]}\n".encode()))


def parts(folder: Path) -> Any:
    for number in NUMBERS:
        write(folder / f"part{number}.csv", f"number\n{number}\n".encode())
    return str(folder)


@pytest.mark.parametrize(
    ("contacts", "options"),
    [
        (packed, {}),
        (parts, {}),
        (
            lambda folder: write(
                folder / "n.csv", f"name;number\nZo\xeb;{NUMBERS[0]}\n-;{NUMBERS[1]}\n".encode("cp1252")
            ),
            {"encoding": "cp1252"},
        ),
        (
            lambda folder: write(folder / "n.txt", f"number~name\n{NUMBERS[0]}~a\n{NUMBERS[1]}~b\n".encode()),
            {"delimiter": "~"},
        ),
        (lambda _: pd.DataFrame({"number": NUMBERS}), {}),
    ],
    ids=["packed", "a folder", "encoding", "delimiter", "a table"],
)
def test_contacts_are_read_in_every_form(
    sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path, contacts: Any, options: dict[str, Any]
) -> None:
    create(numbers=None, contacts=contacts(tmp_path), **options).execute(make_context())

    assert contacted(sandbox, "exotel") == NUMBERS


EMPTY: list[dict[str, Any]] = [
    {"numbers": None, "contacts": []},
    {"numbers": None, "contacts": "empty.csv"},
    {"numbers": []},
]


@pytest.mark.parametrize("given", EMPTY, ids=["a list", "a file", "numbers"])
def test_without_anybody_the_task_fails_or_is_skipped(
    sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path, given: dict[str, Any]
) -> None:
    path = write(tmp_path / "empty.csv", b"number\n")
    values: dict[str, Any] = {name: path if value == "empty.csv" else value for name, value in given.items()}

    def task(**options: Any) -> Any:
        operator = create(**{**values, **dict.fromkeys(given, "{{ x }}")}, **options)
        for name, value in values.items():
            setattr(operator, name, value)
        return operator

    with pytest.raises(InputError, match="expected at least one contact, got none"):
        task().execute(make_context())
    with pytest.raises(AirflowSkipException, match=r"at least one contact, got none \(on_empty is skip\)"):
        task(on_empty="skip").execute(make_context())
    assert posts(sandbox) == 0


def test_once_a_campaign_was_created_an_empty_list_is_no_reason_to_skip(
    sandbox: SandboxClient, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    campaign = create().execute(make_context(state=state))

    def again() -> Any:
        operator = create(numbers="{{ x }}", on_empty="skip")
        operator.numbers = []
        return operator

    assert again().execute(make_context(2, state=state))["id"] == campaign["id"], "a retry"
    with pytest.raises(InputError, match="at least one contact"):
        again().execute(make_context(3, max_tries=3, state=state))
    assert posts(sandbox) == 1


def test_a_choice_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="on_empty: expected fail or skip, got 'pass'"):
        create(on_empty="pass")
