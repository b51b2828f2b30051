"""Somebody who writes no code rings people: by the trigger form of an example."""

from __future__ import annotations

import re

import requests
from playwright.sync_api import expect

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.browser.conftest import Photograph, Visit
from tests.browser.ways import entry, field, task_row, trigger, trigger_form
from tests.connections import CREDENTIALS, contacted

NUMBERS = ["+447700900160", "+447700900161", "+447700900162"]
TEXT = "The flu clinic opens tomorrow at nine."


def test_it_rings_whom_the_form_names(visit: Visit, sandbox: SandboxClient, photograph: Photograph) -> None:
    page = visit("trigger_form")
    form = trigger_form(page)
    entry(form, "Name of the campaign").fill("Flu clinic")
    entry(form, "What is said").fill(TEXT)
    # People leave empty lines.
    entry(form, "Who is rung").fill("\n".join([*NUMBERS, ""]))
    photograph("trigger_form", form)

    trigger(form)

    expect(task_row(page, "ring")).to_contain_text("Success")
    assert contacted(sandbox, "exotel") == NUMBERS
    campaign = campaigns(sandbox)[0]
    assert re.fullmatch("Flu clinic [0-9a-f]{8}", campaign["name"])
    assert campaign["read_via_text"] == TEXT


def test_it_says_which_number_is_none(visit: Visit, sandbox: SandboxClient) -> None:
    page = visit("trigger_form")
    form = trigger_form(page)
    entry(form, "Who is rung").fill("+447700900160\n447700900161")

    trigger(form)

    expect(form).to_contain_text("Invalid input for param numbers: '447700900161' does not match")
    expect(field(form, "Who is rung")).to_contain_text("A number on each line: + and digits, without blanks.")
    assert contacted(sandbox, "exotel") == []


def campaigns(sandbox: SandboxClient) -> list[dict[str, str]]:
    """Return the campaigns of the Exotel account, as Exotel describes them."""
    key = CREDENTIALS["exotel"]
    reply = requests.get(
        f"{sandbox.url}/exotel/v2/accounts/sandbox1/campaigns", auth=(key["login"], key["password"]), timeout=30
    )
    return [one["data"] for one in reply.json()["response"]]
