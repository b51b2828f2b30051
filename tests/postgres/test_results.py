"""Results in a table of PostgreSQL: made, merged, and left as they were when the vendor fails."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError, VendorUnavailableError
from airflow_provider_campaigns.operators.collect import CollectResultsOperator, SendCollectRequestOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests import connections
from tests.operators.contexts import MakeContext
from tests.postgres.conftest import Execute

pytestmark = pytest.mark.usefixtures("connect")

EMAILS = ("done@example.com", "waiting@example.com", "rejected@example.com")
ROWS = 'SELECT "row", key, status, result FROM campaign_results ORDER BY delivery, "row"'


@pytest.fixture
def receipt(
    sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> dict[str, Any]:
    """The receipt of requests at Collect."""
    connections.connect(monkeypatch, sandbox, "collect", extra={"retry_limit": 0})
    contacts = [{"email": email} for email in EMAILS]
    operator = SendCollectRequestOperator(
        task_id="send", campaign_id="KYC", contacts=contacts, outcomes_path=str(tmp_path)
    )
    return dict(operator.execute(make_context()))


def results(receipt: Any, **options: Any) -> CollectResultsOperator:
    given = {"table": "public.campaign_results", "sql_conn_id": "crm", **options}
    return CollectResultsOperator(task_id="results", receipt=receipt, **given)


def test_a_table_is_made_and_brought_up_to_date(
    execute: Execute, sandbox: SandboxClient, receipt: dict[str, Any]
) -> None:
    results(receipt).execute({})
    assert [row[3] for row in execute(ROWS)] == ["pending", "pending", None]
    sandbox.clock(advance=61)

    results(receipt).execute({})

    expected = [
        (1, EMAILS[0], "accepted", "completed"),
        (2, EMAILS[1], "accepted", "responded"),
        (3, EMAILS[2], "rejected", None),
    ]
    assert execute(ROWS) == expected
    assert execute("SELECT details::json ->> 'status' FROM campaign_results WHERE \"row\" = 2") == [("waiting",)]
    assert execute("SELECT count(*) FROM pg_indexes WHERE tablename = 'campaign_results'") == [(1,)]

    sandbox.fault("500", vendor="collect", path="/v1/requests", skip=1)
    with pytest.raises(VendorUnavailableError):
        results(receipt).execute({})
    assert execute(ROWS) == expected

    results(receipt, table_mode="append").execute({})
    assert len(execute(ROWS)) == 6


def test_a_table_of_ones_own_has_types_of_its_own(execute: Execute, receipt: dict[str, Any]) -> None:
    execute(
        'CREATE TABLE campaign_results (id SERIAL, delivery TEXT, "row" INTEGER, key TEXT, vendor_id TEXT, '
        "status TEXT, result TEXT, result_at TIMESTAMPTZ, details JSONB)"
    )
    results(receipt).execute({})
    assert [row[0] for row in execute(ROWS)] == [1, 2, 3]


def test_a_table_with_other_columns_is_refused_before_the_first_request(
    execute: Execute, sandbox: SandboxClient, receipt: dict[str, Any]
) -> None:
    execute("CREATE TABLE campaign_results (phone TEXT)")
    before = len(connections.calls(sandbox, "collect"))
    with pytest.raises(InputError, match="table: expected a table with the columns delivery, row"):
        results(receipt).execute({})
    assert len(connections.calls(sandbox, "collect")) == before
