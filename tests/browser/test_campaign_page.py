"""The campaign page in Airflow's UI: what people see of deliveries, and who sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect
from running_airflow import RunningAirflow, wait_for

from tests.browser.conftest import HEIGHT, PATIENCE_SECONDS, WIDTH, keep_picture
from tests.browser.noted_deliveries import CAMPAIGNS, FIRST_UNKNOWN, RUNNING, UNKNOWN, noted
from tests.browser.restricted import ADMIN, GUEST, HIDDEN
from tests.browser.shown_airflow import ShownAirflow, shown_airflow

Enter = Callable[..., Page]
NARROW = 390
OF_UNKNOWN = {"dag_id": UNKNOWN, "run_id": FIRST_UNKNOWN, "task_id": "send", "map_index": -1}
PAGES = ["", "needs", "waiting", f"delivery?{urlencode(OF_UNKNOWN)}"]


@pytest.fixture(scope="module")
def shown() -> Iterator[ShownAirflow]:
    """An Airflow without deliveries."""
    with shown_airflow() as airflow:
        yield airflow


@pytest.fixture(scope="module")
def filled(shown: ShownAirflow) -> ShownAirflow:
    """The same with deliveries."""
    shown.put(noted())
    return shown


@pytest.fixture
def enter(browser: Browser, shown: ShownAirflow) -> Iterator[Enter]:
    """Return a function that opens Airflow as somebody."""
    contexts: list[BrowserContext] = []

    def enter(path: str = "/", name: str = ADMIN, width: int = WIDTH, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": HEIGHT}, **options)
        contexts.append(context)
        shown.sign_in(context, name)
        page = context.new_page()
        page.goto(f"{shown.url}{path}")
        return page

    yield enter
    for context in contexts:
        context.close()


def campaigns(page: Page) -> FrameLocator:
    """Go to the page as people do, by Airflow's navigation."""
    page.get_by_role("link", name="Campaigns").click()
    return page.frame_locator("iframe[title=Campaigns]")


def rows(frame: FrameLocator | Page) -> Any:
    return frame.locator("#live tbody tr")


def test_without_deliveries_it_says_so(enter: Enter) -> None:
    frame = campaigns(enter())

    expect(frame.get_by_text("No deliveries yet")).to_be_visible()
    frame.get_by_role("link", name="What needs me").click()
    expect(frame.get_by_text("Nothing needs you")).to_be_visible()
    frame.get_by_role("link", name="Waiting").click()
    expect(frame.get_by_text("No task waits")).to_be_visible()


def test_twenty_deliveries_of_all_vendors(enter: Enter, filled: ShownAirflow) -> None:
    page = enter()
    frame = campaigns(page)

    expect(rows(frame)).to_have_count(21)
    expect(frame.get_by_text("21 deliveries, page 1 of 1")).to_be_visible()
    for vendor, campaign in CAMPAIGNS.values():
        expect(rows(frame).filter(has_text=campaign).filter(has_text=vendor).first).to_be_visible()
    keep_picture(page, "campaign_page")

    frame.get_by_label("Vendor").select_option("exotel")
    frame.get_by_role("button", name="Show").click()
    expect(rows(frame)).to_have_count(4)
    frame.get_by_label("Search").fill("nothing like it")
    frame.get_by_label("Search").press("Enter")
    expect(frame.get_by_text("No delivery is like that")).to_be_visible()
    frame.get_by_role("link", name="Show all").click()
    expect(rows(frame)).to_have_count(21)


def test_one_that_runs_moves_without_a_reload(enter: Enter, filled: ShownAirflow) -> None:
    frame = campaigns(enter())
    row = rows(frame).filter(has_text="running")
    expect(row).to_contain_text("4,200 of 12,000 · 24.0 a second · 7 min left")
    expect(row.locator("rect.accepted")).to_have_attribute("width", "33.333%")

    filled.put(noted(done=9_000))

    expect(row).to_contain_text("9,450 of 12,000 · 29.0 a second · 2 min left")
    expect(row.locator("rect.accepted")).to_have_attribute("width", "75.0%")
    filled.put(noted())


def test_the_page_of_a_delivery_and_the_way_to_its_task(enter: Enter, filled: ShownAirflow) -> None:
    page = enter()
    frame = campaigns(page)
    rows(frame).filter(has_text=FIRST_UNKNOWN).get_by_role("link").click()

    expect(frame.get_by_role("heading", name="How was your delivery?")).to_be_visible()
    expect(frame.get_by_role("row", name=re.compile("1 unknown no reply in 30 s"))).to_be_visible()
    expect(frame.get_by_text("+15***10")).to_be_visible()
    assert "15550100" not in frame.locator("html").inner_html()
    keep_picture(page, "campaign_delivery")
    frame.get_by_role("link", name="rejected", exact=True).click()
    expect(frame.get_by_role("heading", name="First outcomes: rejected")).to_be_visible()

    page.context.route("https://app.example.com/**", lambda route: route.fulfill(body="the vendor's page"))
    with page.context.expect_page() as opened:
        frame.get_by_role("link", name="Campaign (app.example.com)").click()
    opened.value.wait_for_url("https://app.example.com/campaigns/feedback")
    frame.get_by_role("link", name="Log").click()
    page.wait_for_url(re.compile(rf"{filled.url}/dags/{UNKNOWN}/runs/.*/tasks/send"))


def test_what_needs_me(enter: Enter, filled: ShownAirflow) -> None:
    page = enter()
    frame = campaigns(page)
    frame.get_by_role("link", name=re.compile(r"^\d+ deliveries need somebody")).click()

    needs = frame.get_by_role("article")
    expect(needs.filter(has_text="How was your delivery?").first).to_contain_text("Of 1 contact it is unknown")
    expect(needs.filter(has_text="invalid (16%)").first).to_contain_text("correct the source")
    expect(needs.filter(has_text="ended early").first).to_contain_text("clear the task: it resumes")
    keep_picture(page, "needs_me")
    frame.get_by_role("link", name="Waiting").click()
    expect(rows(frame)).to_contain_text("completed 431")


def test_who_may_not_read_a_dag_sees_nothing_of_it(enter: Enter, filled: ShownAirflow) -> None:
    expect(rows(campaigns(enter())).filter(has_text=HIDDEN)).to_have_count(1)

    page = enter(name=GUEST)
    frame = campaigns(page)
    expect(rows(frame)).to_have_count(20)
    for name in ("What needs me", "Waiting"):
        assert HIDDEN not in frame.locator("html").inner_html()
        frame.get_by_role("link", name=name).click()
        expect(frame.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
    of_hidden = urlencode({"dag_id": HIDDEN, "run_id": "hidden", "task_id": "send"})
    for path in (f"delivery?{of_hidden}", f"run/{HIDDEN}/hidden", f"task/{HIDDEN}/send/-1/hidden"):
        reply = page.goto(f"{filled.url}/campaigns/{path}")
        assert reply
        assert reply.status == 403
        expect(page.get_by_role("alert")).to_have_text("You may not read this DAG.")


def test_nobody_who_is_not_signed_in_sees_it(browser: Browser, filled: ShownAirflow) -> None:
    context = browser.new_context()
    page = context.new_page()
    reply = page.goto(f"{filled.url}/campaigns/")

    assert reply
    assert reply.status == 401
    expect(page.get_by_role("alert")).to_contain_text("Sign in to Airflow")
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_narrow_window_shows_all_of_it(enter: Enter, filled: ShownAirflow, path: str) -> None:
    page = enter(f"/campaigns/{path}", width=NARROW)

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW


def test_it_is_dark_where_airflow_is(enter: Enter, filled: ShownAirflow) -> None:
    page = enter(color_scheme="dark")
    frame = campaigns(page)

    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    expect(frame.locator("body")).to_have_css("background-color", "rgb(17, 20, 24)")
    expect(rows(frame)).to_have_count(21)
    keep_picture(page, "campaign_page_dark")
    page.evaluate("document.documentElement.classList.replace('dark', 'light')")
    expect(frame.locator("html")).to_have_attribute("data-theme", "light")


def test_it_can_be_used_with_the_keyboard(enter: Enter, filled: ShownAirflow) -> None:
    page = enter("/campaigns/")
    expect(rows(page)).to_have_count(21)
    link = rows(page).first.get_by_role("link")

    link.focus()
    # It is not lost when the table is replaced.
    filled.put(noted(done=5_000))
    expect(rows(page).first).to_contain_text("5,250 of 12,000")
    expect(rows(page).first.get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Evening calls")).to_be_visible()
    assert RUNNING in page.url
    filled.put(noted())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDTH, NARROW])
@pytest.mark.parametrize("path", PAGES)
def test_it_is_accessible(enter: Enter, filled: ShownAirflow, path: str, width: int, scheme: str) -> None:
    page = enter(f"/campaigns/{path}", width=width, color_scheme=scheme)
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    response = Axe().run(page).response

    assert response["testEngine"]["name"] == "axe-core"
    found = response["violations"]
    serious = [one for one in found if one["impact"] in {"serious", "critical"}]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in serious] == []


def test_a_run_and_its_task_have_a_tab(page: Page, airflow: RunningAirflow) -> None:
    dag_id, task_id = "xebo_survey_links", "links"
    airflow.unpause(dag_id)
    run_id = airflow.start_run(dag_id)
    task = f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}"
    wait_for("the delivery", lambda: airflow.call("GET", task)["state"] == "success", PATIENCE_SECONDS)
    run = f"/dags/{dag_id}/runs/{quote(run_id, safe='')}"

    # Who is signed in on the way to another page ends up here, on Airflow 3.1.
    page.goto("/")
    expect(page.get_by_role("link", name="Campaigns")).to_be_visible()
    page.goto(f"{run}/tasks/{task_id}")
    page.get_by_role("link", name="Campaign", exact=True).click()
    expect(page.frame_locator("iframe[title=Campaign]").locator(".legend").first).to_have_text(
        re.compile("26 accepted")
    )
    page.goto(run)
    page.get_by_role("link", name="Campaigns", exact=True).last.click()
    expect(rows(page.frame_locator("iframe[title=Campaigns]"))).to_contain_text("26 accepted")
    airflow.call("PATCH", f"dags/{dag_id}", is_paused=True)
