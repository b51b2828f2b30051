"""From a task that waits for its campaign, a link leads to the campaign."""

from __future__ import annotations

from playwright.sync_api import expect

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.browser.conftest import Photograph, Visit
from tests.browser.ways import task_row, trigger, trigger_form

# Sandbox seconds after which everybody has been rung, again if need be.
LONG = 3 * 3600


def test_the_campaign_while_the_task_waits_and_its_report_afterwards(
    visit: Visit, sandbox: SandboxClient, photograph: Photograph
) -> None:
    page = visit("exotel_calls")
    trigger(trigger_form(page))
    row = task_row(page, "call")
    expect(row).to_contain_text("Deferred")
    row.get_by_role("link", name="call").click()
    page.get_by_role("link", name="Details").click()

    campaign = page.get_by_role("link", name="Campaign at Exotel")
    report = page.get_by_role("link", name="Campaign report")
    expect(campaign).to_be_visible()
    expect(report).to_be_hidden()
    address = campaign.get_attribute("href") or ""
    created = {contact["campaign"] for contact in sandbox.received("exotel")["contacts"]}
    assert address.startswith(f"{sandbox.url}/exotel/")
    assert {address.rpartition("/")[2]} == created
    photograph("campaign_link")

    sandbox.clock(advance=LONG)
    expect(page.get_by_role("row", name="State")).to_contain_text("success")
    page.reload()
    expect(campaign).to_have_attribute("href", address)
    expect(report).to_have_attribute("href", f"https://campaigns-reports.example.com/{created.pop()}.csv")
