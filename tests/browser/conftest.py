"""A browser that shows the UI of a whole Airflow, whose connections lead to a sandbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from running_airflow import RunningAirflow, running_examples

from airflow_provider_campaigns.sandbox.server import SandboxServer

# Debian's: Playwright's own would be another download of several hundred MB.
CHROMIUM = "/usr/bin/chromium"
QUIETLY = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTH, HEIGHT = 1280, 800
# A task that is started takes seconds; on a busy machine, minutes.
PATIENCE_SECONDS = 180.0

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", "build/browser"))

Visit = Callable[[str], Page]
Photograph = Callable[..., None]


@pytest.fixture(scope="session")
def airflow(sandbox_server: SandboxServer) -> Iterator[RunningAirflow]:
    """An Airflow with the examples, which run only when somebody triggers them."""
    settings: dict[str, Any] = {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
    }
    with running_examples(sandbox_server.url, **settings) as airflow:
        yield airflow


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, airflow: RunningAirflow) -> Iterator[Page]:
    """An empty page of a browser that has never been here."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, base_url=airflow.url)
    yield context.new_page()
    context.close()
    # Shown when the test failed.
    sys.stdout.write(airflow.printed(last=10_000))


@pytest.fixture
def visit(page: Page, airflow: RunningAirflow) -> Visit:
    """Return a function that opens the page of a DAG as soon as Airflow knows it."""

    def visit(dag_id: str) -> Page:
        airflow.wait_for_dag(dag_id)
        page.goto(f"/dags/{dag_id}")
        return page

    return visit


@pytest.fixture
def photograph(page: Page) -> Photograph:
    """Return a function that keeps a picture of the page, or of the whole of a dialog, which may be longer."""

    def photograph(name: str, dialog: Locator | None = None) -> None:
        if dialog:
            page.set_viewport_size({"width": WIDTH, "height": 2 * HEIGHT})
        keep_picture(dialog or page, name)
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    return photograph


def keep_picture(shown: Page | Locator, name: str) -> None:
    """Store a picture."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    shown.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled", caret="hide")
