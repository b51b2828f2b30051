"""How a person finds their way through Airflow's UI."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page


def field(form: Locator, label: str) -> Locator:
    """Return a field, with all that is written beside it; not all of Airflow's labels belong to their inputs."""
    return form.get_by_role("group").filter(has_text=re.compile(f"^{re.escape(label)}"))


def entry(form: Locator, label: str) -> Locator:
    """Return what is typed in at a field."""
    return field(form, label).locator("input:not([type=hidden]), textarea")


def trigger_form(page: Page) -> Locator:
    """Open the trigger form of the DAG whose page it is."""
    page.get_by_role("button", name="Trigger").first.click()
    return page.get_by_role("dialog")


def trigger(form: Locator) -> None:
    """Start the run; Airflow then shows its page."""
    form.get_by_role("button", name="Trigger").click()


def task_row(page: Page, task_id: str) -> Locator:
    """Return what the page of a run shows of a task."""
    return page.get_by_role("row", name=re.compile(f"^{task_id} "))
