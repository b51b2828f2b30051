"""UpdateCollectRequestOperator against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
)
from airflow_provider_campaigns.hooks.collect import CollectHook
from airflow_provider_campaigns.operators.collect import UpdateCollectRequestOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect
from tests.operators.contexts import MakeContext

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

CAMPAIGN = "xvr69EYLKXvTkfYuk"


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "collect")


@pytest.fixture
def request_id() -> str:
    reply = CollectHook().send_request(CAMPAIGN, {"email": "jo@example.com"}, {"data": {"brand": "Acme"}})
    return str(reply["request"]["_id"])


def update(**changes: Any) -> UpdateCollectRequestOperator:
    parameters = {"task_id": "update", **changes}
    return UpdateCollectRequestOperator(**parameters)


def test_it_changes_what_is_given_and_names_nobody(request_id: str, make_context: MakeContext) -> None:
    result = update(
        request_id=request_id,
        status="canceled",
        due_date="2026-12-31T18:00:00+00:00",
        assigned_to="sam@example.com",
        send_completion_message=False,
    ).execute(make_context())
    assert result == {"request_id": request_id, "status": "cancelled", "due_date": "2026-12-31T18:00:00Z"}
    request = CollectHook().get_request(request_id)
    assert (request["assignedTo"], request["data"]) == ("sam@example.com", {"brand": "Acme"})


def test_the_request_is_linked(request_id: str, make_context: MakeContext) -> None:
    context = make_context()
    update(request_id=request_id, status="waiting").execute(context)
    assert context["ti"].pushed == {"_link_CollectPortalLink": CollectHook().get_request(request_id)["portalUrl"]}


def test_unset_assigns_to_nobody(request_id: str, make_context: MakeContext) -> None:
    update(request_id=request_id, assigned_to="sam@example.com").execute(make_context())
    update(request_id=request_id, assigned_to="unset").execute(make_context())
    assert CollectHook().get_request(request_id)["assignedTo"] is None


def test_nothing_to_change_is_refused(sandbox: SandboxClient, request_id: str, make_context: MakeContext) -> None:
    with pytest.raises(InputError, match="something to change"):
        update(request_id=request_id).execute(make_context())
    assert "modify" not in calls(sandbox, "collect")


@pytest.mark.parametrize("fault", ["drop", "cut", "500-after"])
def test_it_is_unknown_whether_the_status_changed(
    sandbox: SandboxClient, request_id: str, make_context: MakeContext, fault: str
) -> None:
    sandbox.fault(fault, vendor="collect", method="PATCH")
    with pytest.raises(AirflowFailException, match=f"{request_id} may have become completed"):
        update(request_id=request_id, status="completed").execute(make_context())
    assert calls(sandbox, "collect").count("modify") == 1


def test_what_sends_no_message_is_left_to_a_retry(
    sandbox: SandboxClient, request_id: str, make_context: MakeContext
) -> None:
    sandbox.fault("drop", vendor="collect", method="PATCH")
    operator = update(request_id=request_id, data={"brand": "Other"})
    with pytest.raises(OutcomeUnknownError):
        operator.execute(make_context())
    operator.execute(make_context(2))
    assert CollectHook().get_request(request_id)["data"] == {"brand": "Other"}


@pytest.mark.parametrize(
    ("parameters", "error"),
    [({"request_id": "another"}, CallRefusedError), ({"status": "nonsense"}, RequestRejectedError)],
)
def test_a_refusal_is_reported(
    request_id: str, make_context: MakeContext, parameters: dict[str, str], error: type[Exception]
) -> None:
    parameters = {"request_id": request_id, "status": "completed", **parameters}
    with pytest.raises(error):
        update(**parameters).execute(make_context())


def test_its_fields_are_templates_and_the_assignee_is_not_shown() -> None:
    operator = update(
        request_id="{{ request }}",
        status="{{ status }}",
        due_date="{{ due }}",
        data={"year": "{{ year }}"},
        assigned_to="sam@{{ domain }}",
        collect_conn_id="collect_{{ country }}",
    )
    context = {
        "request": "r-1",
        "status": "completed",
        "due": "2026-12-31",
        "year": "2026",
        "domain": "example.com",
        "country": "fr",
    }
    operator.render_template_fields(cast("Context", context))
    assert (operator.request_id, operator.status, operator.due_date) == ("r-1", "completed", "2026-12-31")
    assert operator.data == {"year": "2026"}
    assert operator.assigned_to == "sam@example.com"
    assert str(operator.assigned_to) == "s***@example.com"
    assert operator.hook.conn_id == "collect_fr"
