"""The campaign page: who sees what, what is shown of deliveries, and that nothing strange becomes markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

if not AIRFLOW_V_3_1_PLUS:
    pytest.skip("Airflow's UI shows no pages of plugins before 3.1", allow_module_level=True)

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import get_user
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import Mount

from airflow_provider_campaigns.overview.delivery import TaskId
from airflow_provider_campaigns.plugins import app as page_app
from airflow_provider_campaigns.plugins.campaigns import LazyApp
from airflow_provider_campaigns.plugins.rendering import segments, task_address
from tests.overview.metadata import Noted, progress, put, receipt

PREFIX = f"page_{uuid4().hex[:8]}"
MINE, SECRET = f"{PREFIX}_mine", f"{PREFIX}_secret"
HOSTILE = "<script>alert(1)</script> {{ 'zy' * 7 }} '\"><img src=x>"
RUN = "scheduled__2026-03-01T00:00:00+00:00"

OUTCOMES = [
    {
        "row": 1,
        "key": "+447700900001",
        "status": "accepted",
        "reason": None,
        "vendor_id": "m1",
        "url": None,
        "message": None,
    },
    {
        "row": 2,
        "key": "+447700900002",
        "status": "rejected",
        "reason": None,
        "vendor_id": None,
        "url": None,
        "message": HOSTILE,
    },
]
DELIVERY = Noted(
    MINE,
    RUN,
    xcoms={
        "receipt": receipt("xebo", HOSTILE, accepted=1, rejected=1),
        "outcomes": OUTCOMES,
        "_link_CampaignLink": "https://vendor.example.com/campaigns/7",
        "_link_OddLink": "javascript:alert(1)",
        "_link_OpenLink": "https://[portal.example.com/7",
        "_link_NoLink": "https:///portal.example.com/7",
    },
)
NOTED = [
    DELIVERY,
    Noted(MINE, "runs", state="running", progress=progress(accepted=400, rejected=100), minutes=None, minutes_ago=1),
    Noted(MINE, "unknown", xcoms={"receipt": receipt("collect", "autumn", accepted=9, unknown=1)}),
    Noted(MINE, "mapped", map_index=0, xcoms={"receipt": receipt(accepted=5)}),
    Noted(MINE, "mapped", map_index=1, xcoms={"receipt": receipt(accepted=6)}),
    Noted(
        MINE,
        "sensor",
        task_id="wait",
        state="deferred",
        minutes=None,
        progress={"waits_for": "exotel", "status": "In<b>Progress", "facts": {"completed": 3}},
    ),
    Noted(SECRET, "hidden", xcoms={"receipt": receipt("exotel", "hidden campaign", accepted=1, unknown=1)}),
    Noted(SECRET, "hidden", "wait", state="deferred", minutes=None, progress={"waits_for": "hidden vendor"}),
]


@pytest.fixture(scope="module", autouse=True)
def noted() -> None:
    put(NOTED)


class Manager:
    """An auth manager by which some DAGs may be read, but for some of what they have."""

    def __init__(self) -> None:
        self.dags = {MINE}
        self.denied: set[DagAccessEntity] = set()

    def get_authorized_dag_ids(self, *, user: Any, method: str) -> set[str]:
        assert (user, method) == ("somebody", "GET")
        return self.dags

    def is_authorized_dag(self, *, method: str, user: Any, access_entity: Any, details: Any) -> bool:
        assert (user, method) == ("somebody", "GET")
        return details.id in self.dags and access_entity not in self.denied


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    manager = Manager()
    for module in (page_app, "airflow.api_fastapi.core_api.security"):
        target = f"{module}.get_auth_manager" if isinstance(module, str) else None
        if target:
            monkeypatch.setattr(target, lambda: manager)
        else:
            monkeypatch.setattr(module, "get_auth_manager", lambda: manager)
    return manager


@pytest.fixture
def client(manager: Manager) -> Iterator[TestClient]:
    """The page, as somebody who is signed in sees it."""
    app = page_app.create_app()
    app.dependency_overrides[get_user] = lambda: "somebody"
    with TestClient(app) as client:
        yield client


Read = Callable[..., str]


@pytest.fixture
def read(client: TestClient) -> Read:
    """Return a function that returns the text of a page."""

    def read(path: str, code: int = 200, **query: Any) -> str:
        reply = client.get(f"/{path}?{urlencode(query)}")
        assert reply.status_code == code, reply.text
        return reply.text

    return read


def address(noted: Noted) -> dict[str, Any]:
    return noted.task._asdict()


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


# --- who sees what

PATHS = [
    "/",
    "/needs",
    "/waiting",
    f"/delivery?{urlencode(address(DELIVERY))}",
    f"/run/{MINE}/{RUN}",
    f"/task/{MINE}/send/-1/{RUN}",
]
NAMES = ["list", "needs", "waiting", "delivery", "run", "task"]


def test_every_route_is_known_here() -> None:
    routes: dict[str, Any] = {getattr(route, "path", ""): route for route in page_app.create_app().routes}

    mounts = [path for path, route in routes.items() if isinstance(route, Mount)]
    assert mounts == ["/static"]
    assert all(
        isinstance(route, APIRoute) and route.methods == {"GET"} for path, route in routes.items() if path not in mounts
    )
    patterns = [re.sub(r"\{[^}]+\}", ".+", path) + r"(\?.*)?" for path in routes if path not in mounts]
    assert all(any(re.fullmatch(pattern, path) for path in PATHS) for pattern in patterns)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_nobody_who_is_not_signed_in_sees_a_page(path: str) -> None:
    reply = TestClient(page_app.create_app()).get(path)

    assert reply.status_code == 401
    assert "Sign in to Airflow" in reply.text
    assert MINE not in reply.text


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_who_may_not_read_a_dag_sees_nothing_of_it(client: TestClient, manager: Manager, path: str) -> None:
    manager.dags = set()

    reply = client.get(path)

    assert reply.status_code in {200, 403}
    assert "mine" not in text_of(reply.text)
    assert "hidden" not in reply.text


@pytest.mark.parametrize("path", ["", "needs", "waiting"])
def test_other_dags_are_shown_to_who_may_read_them(read: Read, manager: Manager, path: str) -> None:
    assert "hidden" not in read(path)
    manager.dags = {SECRET}
    assert "hidden" in read(path)


@pytest.mark.parametrize(
    ("path", "entity"),
    [(3, "TASK_INSTANCE"), (3, "XCOM"), (4, "RUN"), (5, "TASK_INSTANCE"), (5, "XCOM")],
)
def test_what_a_page_shows_of_a_dag_may_be_denied(client: TestClient, manager: Manager, path: int, entity: str) -> None:
    manager.denied = {DagAccessEntity[entity]}

    assert client.get(PATHS[path]).status_code == 403


@pytest.mark.parametrize(
    "query",
    [{"dag_id": ""}, {"dag_id": "~"}, {"run_id": ""}, {"task_id": ""}, {"map_index": "x"}, {"dag_id": "x" * 251}],
    ids=str,
)
def test_an_address_with_parts_missing_leads_nowhere(client: TestClient, query: dict[str, Any]) -> None:
    reply = client.get("/delivery", params={**address(DELIVERY), **query})

    assert reply.status_code in {403, 404, 422}
    assert "+44" not in reply.text


def test_a_filter_cannot_reach_another_dag(read: Read) -> None:
    assert "hidden campaign" not in read("", dag_id=SECRET)


def test_the_files_are_for_all() -> None:
    client = TestClient(page_app.create_app())

    assert [client.get(f"/static/campaigns.{kind}").status_code for kind in ("css", "js")] == [200, 200]
    assert client.get("/static/../app.py").status_code == 404


# --- what is shown


def test_a_delivery_is_in_the_table(read: Read) -> None:
    html = read("", dag_id=MINE)

    assert "400 of" not in text_of(html)
    assert "500 of 1,000 · 12.5 a second · 2 min left" in text_of(html)
    assert '<rect class="accepted" x="0.0%" width="40.0%"' in html
    assert '<rect class="rejected" x="40.0%" width="10.0%"' in html
    assert f"delivery?{urlencode(address(NOTED[1]))}".replace("&", "&amp;") in html
    assert "1 delivery needs somebody" in text_of(html)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"vendor": "collect"}, ["unknown"]),
        ({"state": "running"}, ["runs"]),
        ({"search": "autumn"}, ["unknown"]),
        ({"since": "2999-01-01"}, []),
        ({"until": "2999-01-01", "search": "mapped"}, ["mapped", "mapped"]),
        ({"state": "nonsense", "search": "runs"}, ["runs"]),
    ],
    ids=str,
)
def test_filters_choose(read: Read, query: dict[str, str], shown: list[str]) -> None:
    html = read("", **query)

    assert re.findall(r'class="minor">([a-z]+)</span> <span', html) == shown
    if not shown:
        assert "No delivery is like that" in html


def test_there_are_pages(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_app, "PAGE_SIZE", 2)

    html = read("", page=2, search=MINE)

    assert "5 deliveries, page 2 of 3" in html
    assert re.findall(r'href="(\./[^"]*page=\d)"', html) == [
        f"./?search={MINE}&amp;page=1",
        f"./?search={MINE}&amp;page=3",
    ]


def test_the_page_of_a_delivery(read: Read) -> None:
    html = read("delivery", **address(DELIVERY))
    text = text_of(html)

    assert "+44***01" in text
    assert "447700900" not in html
    assert 'href="https://vendor.example.com/campaigns/7"' in html
    assert "javascript:" not in html
    assert "portal.example.com" not in html
    assert f'href="{task_address(DELIVERY.task)}"' in html
    assert "Other runs of this task" in text
    # Its reason, and the outcome.
    assert text.count("<script>alert(1)</script>") >= 2


def test_what_strangers_wrote_is_text(read: Read) -> None:
    for html in (read(""), read("needs"), read("waiting"), read("delivery", **address(DELIVERY))):
        assert "<script>alert" not in html
        assert "<img" not in html
        assert "<b>Progress" not in html
        assert "zyzy" not in text_of(html)


def test_only_outcomes_with_a_status(read: Read) -> None:
    html = read("delivery", **address(DELIVERY), status="rejected")

    assert "First outcomes: rejected" in text_of(html)
    assert "+44***01" not in html


def test_what_needs_me(read: Read) -> None:
    text = text_of(read("needs"))

    assert "Of 1 contact it is unknown whether they were reached" in text
    assert "on_unknown='skip'" in text


def test_what_is_waited_for(read: Read) -> None:
    assert "exotel In<b>Progress completed 3" in text_of(read("waiting"))


def test_the_tab_of_a_run_and_of_a_task(read: Read) -> None:
    assert text_of(read(f"run/{MINE}/mapped")).count("send [") == 2
    assert "Nothing was delivered here" in read(f"run/{MINE}/none")
    assert "5 accepted" in text_of(read(f"task/{MINE}/send/0/mapped"))
    assert text_of(read(f"task/{MINE}/send/{{MAP_INDEX}}/mapped")).count("send [") == 2
    assert "This task has delivered nothing" in read(f"task/{MINE}/other/3/mapped", 404)


def test_without_deliveries_it_says_when_there_will_be_some(read: Read, manager: Manager) -> None:
    manager.dags = set()

    assert "No deliveries yet" in read("")
    assert "Nothing needs you" in read("needs")
    assert "No task waits" in read("waiting")


def test_a_history_database_that_is_down_is_a_page(read: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    file.write_text("no database at all, but some text of this length")
    monkeypatch.setenv("AIRFLOW_CONN_HISTORY", f'{{"conn_type": "sqlite", "host": "{file}"}}')
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__HISTORY_CONN_ID", "history")

    html = read("", 503)

    assert "The history database cannot be read" in html
    assert str(tmp_path) not in html


def test_it_works_below_a_path_and_runs_nothing_but_its_own(manager: Manager) -> None:
    app = page_app.create_app()
    app.dependency_overrides[get_user] = lambda: "somebody"
    root = FastAPI()
    root.mount("/campaigns", app)

    reply = TestClient(root, root_path="/below/a/path").get("/campaigns/")

    assert '<base href="/below/a/path/campaigns/">' in reply.text
    assert not re.findall(r'(?:href|src|action)="/(?!below)', reply.text)
    assert " style=" not in reply.text
    assert not re.search(r"<script(?! src=)|\son\w+=", reply.text)
    assert "default-src 'none'; script-src 'self'" in reply.headers["Content-Security-Policy"]
    assert reply.headers["Cache-Control"] == "no-store"


def test_airflow_mounts_what_is_made_with_the_first_request() -> None:
    root = FastAPI()
    root.mount("/campaigns", LazyApp())
    client = TestClient(root)

    assert client.get("/campaigns/static/campaigns.css").headers["content-type"].startswith("text/css")
    assert client.get("/campaigns/").status_code == 401


@pytest.mark.parametrize(
    ("counts", "total", "expected"),
    [
        ({}, None, []),
        ({"accepted": 1, "unknown": 3}, 8, [("accepted", 1, 0.0, 12.5), ("unknown", 3, 12.5, 37.5)]),
        # More than there should be.
        ({"accepted": 4}, 2, [("accepted", 4, 0.0, 100.0)]),
        ({"accepted": 0}, 0, []),
    ],
)
def test_the_parts_of_a_bar(counts: dict[str, int], total: int | None, expected: list[Any]) -> None:
    assert segments(counts, total) == expected


def test_the_address_of_a_task() -> None:
    assert task_address(TaskId("d", "r+1/2", "t", 3), "xcom") == "../dags/d/runs/r%2B1%2F2/tasks/t/mapped/3/xcom"
