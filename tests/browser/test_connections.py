"""A connection of each vendor is typed into Airflow's form, saved and tested."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from running_airflow import RunningAirflow

from airflow_provider_campaigns.get_provider_info import connection_type
from airflow_provider_campaigns.sandbox.exotel import ACCOUNT_SID
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.browser.conftest import Photograph
from tests.browser.ways import entry, field
from tests.connections import CREDENTIALS, contacted

VENDORS = sorted(CREDENTIALS)
WRONG = "somebody-elses-secret"

Fill = Callable[..., str]


@pytest.fixture
def form(page: Page) -> Locator:
    """The form of a new connection."""
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    return page.get_by_role("dialog")


@pytest.fixture
def fill(form: Locator, sandbox: SandboxClient, airflow: RunningAirflow) -> Iterator[Fill]:
    """Return a function that fills in the form, for a connection to the sandbox, and returns the connection's id."""
    ids = []

    def fill(vendor: str, **changes: str) -> str:
        host = f"{sandbox.url}/{vendor}"
        described = choose(form, vendor)
        ids.append(f"{vendor}_example")
        entry(form, "Connection ID").fill(ids[-1])
        turn_to(form, "Extra Fields")
        extras = {"xebo": {"login_url": host}, "exotel": {"account_sid": ACCOUNT_SID}}
        for name, value in extras.get(vendor, {}).items():
            entry(form, described["conn-fields"][name]["label"]).fill(value)
        turn_to(form, "Standard Fields")
        entry(form, "Port").fill("443")
        for name, value in {"host": host, **CREDENTIALS[vendor], **changes}.items():
            entry(form, described["ui-field-behaviour"]["relabeling"][name]).fill(value)
        return ids[-1]

    yield fill
    for conn_id in ids:
        airflow.asked("DELETE", f"connections/{conn_id}")


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_form_asks_for_what_the_vendor_wants(form: Locator, vendor: str) -> None:
    described = choose(form, vendor)

    behaviour = described["ui-field-behaviour"]
    for name, label in behaviour["relabeling"].items():
        expect(entry(form, label)).to_have_attribute("placeholder", behaviour["placeholders"].get(name, ""))
    turn_to(form, "Extra Fields")
    for extra in described["conn-fields"].values():
        expect(field(form, extra["label"])).to_contain_text(extra["description"])
        expect(entry(form, extra["label"])).to_be_visible()
    # What Airflow cannot tell the kind of has six lines.
    expect(form.get_by_role("region").locator("textarea:visible")).to_have_count(0)


@pytest.mark.parametrize("vendor", VENDORS)
def test_it_can_be_saved_without_opening_the_extra_fields(form: Locator, vendor: str) -> None:
    choose(form, vendor)
    entry(form, "Connection ID").fill(f"{vendor}_unopened")
    entry(form, "Connection ID").press("Tab")

    expect(form.get_by_role("button", name="Save")).to_be_enabled()


def test_exotel_marks_what_it_requires(form: Locator) -> None:
    choose(form, "exotel")

    for label in ("API key", "API token"):
        expect(entry(form, label)).to_have_attribute("placeholder", re.compile("^required"))
    turn_to(form, "Extra Fields")
    expect(field(form, "Account SID")).to_contain_text("Required")


@pytest.mark.parametrize("vendor", VENDORS)
def test_it_is_saved_and_works(form: Locator, fill: Fill, vendor: str, sandbox: SandboxClient) -> None:
    conn_id = fill(vendor)

    save(form)
    said = press_test(form.page, conn_id)

    expect(said).to_contain_text("Test Connection Successful")
    assert sandbox.received(vendor)["requests"]
    assert contacted(sandbox, vendor) == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_wrong_secret_is_refused_and_not_shown(form: Locator, fill: Fill, vendor: str) -> None:
    conn_id = fill(vendor, password=WRONG)

    save(form)
    said = press_test(form.page, conn_id)

    expect(said).to_contain_text("Test Connection Failed")
    label = connection_type(vendor)["ui-field-behaviour"]["relabeling"]["password"]
    expect(said).to_contain_text(f"{label} (password) and extras of the connection")
    assert WRONG not in form.page.content()


def test_it_is_edited_without_its_secret(form: Locator, fill: Fill, airflow: RunningAirflow) -> None:
    conn_id = fill("exotel")
    save(form)
    edit(form.page, conn_id)
    turn_to(form, "Extra Fields")
    entry(form, "Timeout (seconds)").fill("20")

    save(form)
    said = press_test(form.page, conn_id)

    expect(said).to_contain_text("Test Connection Successful")
    extra = json.loads(airflow.call("GET", f"connections/{conn_id}")["extra"])
    assert extra == dict.fromkeys(extra) | {
        "account_sid": ACCOUNT_SID,
        "timeout": 20,
        "retry_limit": 3,
        "verify": "true",
        "max_reply_mb": 64,
    }


def test_from_the_empty_form_to_an_error(form: Locator, fill: Fill, photograph: Photograph) -> None:
    conn_id = fill("exotel")
    photograph("connection_form", form)
    turn_to(form, "Extra Fields")
    photograph("connection_extras", form)
    save(form)
    expect(press_test(form.page, conn_id)).to_contain_text("Exotel takes the API key and token")
    photograph("connection_works")

    edit(form.page, conn_id)
    entry(form, "API token").fill(WRONG)
    save(form)
    expect(press_test(form.page, conn_id)).to_contain_text("Authentication failed")
    photograph("connection_refused")


def choose(form: Locator, vendor: str) -> dict[str, Any]:
    """Choose the vendor's connection type, and return what the provider says of it."""
    described = connection_type(vendor)
    form.get_by_role("combobox", name="Connection Type").fill(described["hook-name"])
    form.page.get_by_role("option", name=described["hook-name"], exact=True).click()
    return described


def turn_to(form: Locator, part: str) -> None:
    """Open a part of the form, which closes the other."""
    form.get_by_role("button", name=part, exact=True).click()


def save(form: Locator) -> None:
    form.get_by_role("button", name="Save").click()
    expect(form.page.get_by_role("status")).to_contain_text("successfully")
    form.page.reload()


def edit(page: Page, conn_id: str) -> None:
    page.get_by_role("row", name=conn_id).get_by_role("button", name="Edit Connection").click()


def press_test(page: Page, conn_id: str) -> Locator:
    """Press the connection's Test button, and return where Airflow says what came of it."""
    page.get_by_role("row", name=conn_id).get_by_role("button", name="Test Connection").click()
    return page.get_by_role("status", name="Test Connection")
