"""
The campaign page: its routes, and who may see what.

Every route asks Airflow's auth manager: who is not signed in sees nothing, and nobody sees a delivery of a DAG that
they may not read. Only the style sheet, the script and the icons are for all.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from airflow_provider_campaigns.delivery.record.outcome import STATUSES
from airflow_provider_campaigns.exceptions import CampaignError
from airflow_provider_campaigns.get_provider_info import get_provider_info
from airflow_provider_campaigns.overview.delivery import STATES, DeliveryView, State, TaskId, Wanted
from airflow_provider_campaigns.overview.needs import MOST_NEEDS, need_of
from airflow_provider_campaigns.overview.overview import Overview, open_overview
from airflow_provider_campaigns.plugins.rendering import render

log = logging.getLogger(__name__)

STATIC = Path(__file__).with_name("static")
PAGE_SIZE = 25
MOST_EARLIER = 10
# DAGs that the filter offers; others can be typed.
MOST_NAMES = 500
LONGEST = 250
VENDORS = [one["connection-type"] for one in get_provider_info()["connection-types"]]

# Nothing but the page's own style sheet and script runs in it, and only Airflow shows it in a frame.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

PROBLEMS = {
    HTTPStatus.UNAUTHORIZED: "Sign in to Airflow, then open this page again.",
    HTTPStatus.FORBIDDEN: "You may not read this DAG.",
    HTTPStatus.NOT_FOUND: "There is no such page.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The address of this page is not understood.",
}


def readable_dags(user: GetUserDep) -> set[str]:
    """Return the ids of the DAGs that the user may read."""
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


Readable = Annotated[set[str], Depends(readable_dags)]
Name = Annotated[str, Query(max_length=LONGEST)]
Given = Annotated[str, Query(min_length=1, max_length=LONGEST)]
may_read_run = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
may_read_task = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))
# Counts and outcomes are XComs.
may_read_xcoms = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))

router = APIRouter(default_response_class=HTMLResponse, dependencies=[Depends(readable_dags)])


def wanted_of(
    readable: Readable,
    *,
    vendor: Name = "",
    dag_id: Name = "",
    state: Name = "",
    since: Name = "",
    until: Name = "",
    search: Name = "",
) -> Wanted:
    """Return which deliveries the filters of the page ask for."""
    last_day = _day(until)
    return Wanted(
        dag_ids=readable,
        vendor=vendor.strip(),
        dag_id=dag_id.strip(),
        state=_state(state),
        since=_day(since),
        until=last_day and last_day + timedelta(days=1),
        search=search.strip(),
    )


Filters = Annotated[Wanted, Depends(wanted_of)]
Number = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/")
def deliveries(request: Request, wanted: Filters, page: Number = 1) -> Response:
    """Show the deliveries."""
    with open_overview() as overview:
        found = overview.deliveries(wanted, (page - 1) * PAGE_SIZE, PAGE_SIZE)
        many = len(overview.needs(Wanted(dag_ids=wanted.dag_ids)))
    return render(
        request,
        "deliveries.html",
        found=found,
        number=page,
        size=PAGE_SIZE,
        wanted=wanted,
        needs=many,
        needs_are_cut=many == MOST_NEEDS,
        states=STATES,
        vendors=VENDORS,
        dags=sorted(wanted.dag_ids or ())[:MOST_NAMES],
    )


@router.get("/needs")
def needs(request: Request, readable: Readable) -> Response:
    """Show the deliveries that need somebody."""
    with open_overview() as overview:
        found = overview.needs(Wanted(dag_ids=readable))
    return render(request, "needs.html", found=found)


@router.get("/waiting")
def waiting(request: Request, readable: Readable) -> Response:
    """Show the campaigns that tasks wait for."""
    with open_overview() as overview:
        found = overview.waiting(readable)
    return render(request, "waiting.html", found=found)


@router.get("/delivery", dependencies=[may_read_task, may_read_xcoms])
def delivery(
    request: Request, *, dag_id: Given, run_id: Given, task_id: Given, map_index: int = -1, status: Name = ""
) -> Response:
    """Show one delivery."""
    task = TaskId(dag_id, run_id, task_id, map_index)
    with open_overview() as overview:
        return _show(request, overview, task, overview.delivery(task), status if status in STATUSES else "")


@router.get("/run/{dag_id}/{run_id:path}", dependencies=[may_read_run])
def of_run(request: Request, readable: Readable, *, dag_id: str, run_id: str) -> Response:
    """Show the deliveries of a DAG run, in its tab."""
    return _list(request, Wanted(dag_ids=readable, dag_id=dag_id, run_id=run_id))


@router.get("/task/{dag_id}/{task_id}/{map_index}/{run_id:path}", dependencies=[may_read_task, may_read_xcoms])
def of_task(
    request: Request, readable: Readable, *, dag_id: str, task_id: str, map_index: str, run_id: str
) -> Response:
    """Show the delivery of a task instance, or those of a mapped task, in its tab."""
    task = TaskId(dag_id, run_id, task_id, int(map_index) if map_index.isdecimal() else -1)
    with open_overview() as overview:
        view = overview.delivery(task)
        if view or map_index.isdecimal():
            return _show(request, overview, task, view)
    return _list(request, Wanted(dag_ids=readable, dag_id=dag_id, run_id=run_id, task_id=task_id))


def _list(request: Request, wanted: Wanted) -> Response:
    """Show deliveries without filters."""
    with open_overview() as overview:
        found = overview.deliveries(wanted, 0, 10 * PAGE_SIZE)
    return render(request, "tab.html", found=found)


def _show(request: Request, overview: Overview, task: TaskId, view: DeliveryView | None, status: str = "") -> Response:
    """Show one delivery."""
    if view is None:
        return render(request, "problem.html", HTTPStatus.NOT_FOUND, problem="This task has delivered nothing.")
    earlier = overview.deliveries(Wanted(dag_id=task.dag_id, task_id=task.task_id), 0, MOST_EARLIER)
    return render(
        request,
        "delivery.html",
        view=view,
        need=need_of(view),
        sample=overview.sample(view, status),
        moments=(moments := overview.by_time(task)),
        most_at_once=max((sum(one.counts.values()) for one in moments), default=0),
        links=overview.links(task),
        earlier=[one for one in earlier.rows if one.task != task],
        status=status,
    )


def _state(text: str) -> State | None:
    return next((state for state in STATES if state == text), None)


def _day(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC) if text else None
    except ValueError:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY) from None


def create_app() -> FastAPI:
    """Return the page."""
    app = FastAPI(title="Campaigns", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(CampaignError, _unavailable)
    app.middleware("http")(_with_headers)
    return app


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


def _refused(request: Request, error: Any) -> Response:
    status = HTTPStatus(error.status_code)
    return render(request, "problem.html", status, problem=PROBLEMS.get(status, status.phrase))


def _not_understood(request: Request, error: Exception) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return render(request, "problem.html", status, problem=PROBLEMS[status])


def _unavailable(request: Request, error: Exception) -> Response:
    # What a driver says of its server is for those who run Airflow.
    log.error("The campaign page cannot be shown: %s", error)
    problem = (
        "The history database cannot be read. Deliveries are not affected by this page; "
        "the log of Airflow's API server says what is wrong."
    )
    return render(request, "problem.html", HTTPStatus.SERVICE_UNAVAILABLE, problem=problem)
