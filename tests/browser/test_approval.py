"""A person is shown what would be sent, and to whom, and approves it."""

from __future__ import annotations

import re
from urllib.parse import unquote

from demo_live import LiveRun
from playwright.sync_api import expect
from running_airflow import RunningAirflow

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.browser.conftest import Photograph, Visit
from tests.browser.ways import task_row, trigger, trigger_form
from tests.connections import contacted

DAG = "approve_before_sending"


def test_nothing_is_sent_before_approve_is_pressed(
    visit: Visit, airflow: RunningAirflow, sandbox: SandboxClient, photograph: Photograph
) -> None:
    page = visit(DAG)
    trigger(trigger_form(page))
    expect(task_row(page, "approve")).to_contain_text("Awaiting Input")
    run = LiveRun(airflow, DAG, unquote(page.url.rpartition("/")[2]))
    run.question("approve")
    task_row(page, "approve").get_by_role("link", name="approve").click()
    page.get_by_role("link", name="Required Action").click()

    audience = page.get_by_role("row").filter(has=page.get_by_role("cell")).get_by_role("cell").first
    expect(page.get_by_text(re.compile(r"^Hand \d+ leads to the campaign Offers\?$"))).to_be_visible()
    first_rows = page.get_by_role("table").filter(has_text="phoneNumber").get_by_role("row")
    expect(first_rows).to_have_count(1 + 5)
    expect(first_rows.first).to_contain_text("City")
    expected = int(audience.inner_text())
    shown = page.content()
    photograph("approval")
    assert contacted(sandbox, "ozonetel") == []

    page.get_by_role("button", name="Approve").click()

    expect(page.get_by_text("Response received")).to_be_visible()
    assert run.end().state == "success"
    rung = contacted(sandbox, "ozonetel")
    assert len(rung) == expected
    assert not [number for number in rung if number in shown]
