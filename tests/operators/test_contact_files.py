"""Files of contacts as people have them, delivered by AddCampaignLeadOperator with a connection of region US."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import connect, contacted, keep_no_pace, keep_tokens_in_memory
from tests.operators.contexts import MakeContext

FILES = Path(__file__).parents[1] / "delivery/plan/sources/files"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FILES / "expected.json").read_text())
A, B, C, D = "+15550100001", "+15550100002", "+15550100003", "+15550100004"
PARTS = [str(FILES / "parts_a.jsonl"), str(FILES / "parts_b.jsonl")]


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(limits=False) as server:
        yield server


@pytest.fixture
def sandbox(server: SandboxServer) -> SandboxClient:
    client = SandboxClient(server.url)
    client.reset()
    return client


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    keep_tokens_in_memory(monkeypatch)
    keep_no_pace(monkeypatch)
    connect(monkeypatch, sandbox, "ozonetel", extra={"region": "US"})


def add(contacts: Any, **parameters: Any) -> AddCampaignLeadOperator:
    return AddCampaignLeadOperator(task_id="send", campaign_name="Demo", contacts=contacts, **parameters)


@pytest.mark.parametrize("name", [name for name in EXPECTED if "contacts" in EXPECTED[name]])
def test_a_file_as_people_have_it(name: str, sandbox: SandboxClient, make_context: MakeContext) -> None:
    expected = EXPECTED[name]

    receipt = add(str(FILES / name)).execute(make_context())

    assert receipt["contacts"] == expected["contacts"]
    assert receipt["accepted"] == expected["sent"]
    assert receipt["invalid"] == expected.get("invalid", 0)
    numbers = [B] if expected.get("invalid") else [A, B, C, D][: expected["sent"]]
    assert sorted(number.lstrip("+") for number in contacted(sandbox, "ozonetel")) == [one[1:] for one in numbers]


def test_the_reason_of_lost_digits_is_given(make_context: MakeContext) -> None:
    context = make_context()
    add(str(FILES / "scientific.csv")).execute(context)
    (invalid,) = [line for line in context["ti"].pushed["outcomes"] if line["status"] == "invalid"]
    assert "a spreadsheet's number has lost some" in invalid["reason"]


def test_an_encoding_that_must_be_said(sandbox: SandboxClient, make_context: MakeContext) -> None:
    path = str(FILES / "cp1252.csv")
    with pytest.raises(InputError, match='likely a Windows file, which the parameter encoding="cp1252" reads'):
        add(path).execute(make_context())
    assert contacted(sandbox, "ozonetel") == []

    assert add(path, encoding="cp1252").execute(make_context(run_id="second"))["accepted"] == 2
    (lead,) = [one for one in sandbox.received("ozonetel")["contacts"] if A[1:] in one["contact"]]
    assert "Jürgen" in json.dumps(sandbox.received("ozonetel"), ensure_ascii=False), lead


@pytest.mark.parametrize(
    "contacts", [PARTS, [*map(Path, PARTS)], json.dumps(PARTS), str(FILES / "parts_*.jsonl"), "folder"]
)
def test_part_files_are_one_source(
    contacts: Any, tmp_path: Path, sandbox: SandboxClient, make_context: MakeContext
) -> None:
    if contacts == "folder":
        contacts = str(tmp_path)
        for path in PARTS:
            (tmp_path / Path(path).name).write_bytes(Path(path).read_bytes())
        (tmp_path / "_SUCCESS").touch()
        (tmp_path / ".parts_a.jsonl.crc").write_bytes(b"crc")

    assert add(contacts).execute(make_context())["accepted"] == 2
    assert sorted(contacted(sandbox, "ozonetel")) == [A, B]


FRAME = pd.DataFrame({"phoneNumber": [15550100001, None], "Name": ["Jürgen", "B"]}, index=[7, 9]).fillna(
    {"phoneNumber": 15550100002}
)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(FRAME, id="pandas"),
        pytest.param(pl.DataFrame({"phoneNumber": [A, B], "Name": ["Jürgen", None]}), id="polars"),
        pytest.param(pa.table({"phoneNumber": [A, B], "open": [1, 2]}), id="pyarrow"),
        pytest.param(pa.table({"phoneNumber": [A, B]}).to_reader(), id="a stream, which is read once"),
    ],
)
def test_a_table_is_delivered(table: Any, sandbox: SandboxClient, make_context: MakeContext) -> None:
    operator = add(table)
    context = make_context()
    operator.render_template_fields(context)

    assert operator.execute(context)["accepted"] == 2
    assert [number.lstrip("+") for number in contacted(sandbox, "ozonetel")] == [A[1:], B[1:]]


# -- no contacts


@pytest.mark.parametrize("content", ["", "phoneNumber,Name\n", "phoneNumber\n\n"])
@pytest.mark.parametrize("preview", [False, True])
def test_a_task_without_contacts_is_skipped_if_that_is_said(
    content: str, preview: bool, tmp_path: Path, sandbox: SandboxClient, make_context: MakeContext
) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(content)
    with pytest.raises(InputError, match="at least one contact, got"):
        add(str(path), preview=preview).execute(make_context())
    with pytest.raises(AirflowSkipException, match="at least one contact"):
        add(str(path), preview=preview, on_empty="skip").execute(make_context(run_id="second"))
    assert contacted(sandbox, "ozonetel") == []


def test_an_empty_exclude_skips_nothing(tmp_path: Path, make_context: MakeContext) -> None:
    (tmp_path / "exclude.csv").touch()
    with pytest.raises(InputError, match=r"exclude .*expected a header"):
        add([{"phoneNumber": A}], exclude=str(tmp_path / "exclude.csv"), on_empty="skip").execute(make_context())


@pytest.mark.parametrize("answer", ["never", None])
def test_on_empty_is_one_of_two(answer: Any, make_context: MakeContext) -> None:
    with pytest.raises(InputError, match="on_empty: expected fail or skip"):
        add([{"phoneNumber": A}], on_empty=answer).execute(make_context())


# -- exclude, and other vendors


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_exclude_in_utf8_is_read_as_such_whatever_encoding_is_said_of_the_contacts(
    encoding: str, tmp_path: Path, make_context: MakeContext
) -> None:
    exclude = tmp_path / "exclude.csv"
    exclude.write_text(f"phoneNumber;Grund\n{A};Gewünscht\n", encoding=encoding)
    receipt = add(str(FILES / "cp1252.csv"), encoding="cp1252", exclude=str(exclude)).execute(make_context())
    assert (receipt["invalid"], receipt["accepted"]) == (1, 1)


def test_an_encoding_of_exclude_that_is_not_said(tmp_path: Path, make_context: MakeContext) -> None:
    (tmp_path / "exclude.csv").write_text(f"phoneNumber,why\n{A},Gewünscht\n", encoding="cp1252")
    with pytest.raises(InputError, match=r'exclude .* encoding="cp1252"'):
        add([{"phoneNumber": A}], exclude=str(tmp_path / "exclude.csv")).execute(make_context())


@pytest.mark.parametrize("form", ["table", "numbers.xlsx"])
def test_an_exotel_campaign_takes_the_same_forms(
    form: str, tmp_path: Path, sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox, "exotel")
    contacts: Any = pd.DataFrame({"Number": [A, B]})
    if form != "table":
        contacts.to_excel(tmp_path / form, index=False)
        contacts = str(tmp_path / form)
    operator = CreateExotelCampaignOperator(
        task_id="create", name="Demo", caller_id="08047112233", read_via_text="Hello", contacts=contacts
    )

    operator.execute(make_context())

    assert contacted(sandbox, "exotel") == [A, B]


# -- what is said of it


def test_what_is_changed_is_logged_once(
    tmp_path: Path, make_context: MakeContext, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(f"phoneNumber;Na\0me;;\n{A};A;;\n;;;\n{B};B\0;;\n\n")
    with caplog.at_level(logging.INFO):
        add(str(path)).execute(make_context())
    (said,) = [text for text in caplog.messages if "semicolon-separated" in text]
    assert said.endswith(
        "2 columns without a name and values left out, 2 NUL characters removed, 2 blank rows left out"
    )


def test_contacts_that_are_gone_after_some_were_sent_to_skip_nothing(tmp_path: Path, make_context: MakeContext) -> None:
    path, state = tmp_path / "contacts.csv", dict[str, str]()
    path.write_text(f"phoneNumber\n{A}\n")
    add(str(path), on_empty="skip").execute(make_context(state=state))

    path.write_text("phoneNumber\n")

    with pytest.raises(InputError, match="at least one contact"):
        add(str(path), on_empty="skip").execute(make_context(2, 1, state=state))
