"""
The plugin: an entry in Airflow's navigation, and a tab on DAG runs and task instances.

Every process of Airflow imports this module, the DAG processor and tasks, too; so the page itself is imported with its
first request. Before Airflow 3.1 the UI cannot show a page of a plugin's, and there is none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

PREFIX = "/campaigns"
# Without a slash at the start they lead to this Airflow, below whatever path it is served.
_BASE = PREFIX.removeprefix("/")
_ICON = {"icon": f"{_BASE}/static/icon.svg", "icon_dark_mode": f"{_BASE}/static/icon-dark.svg"}

# What the UI shows; names in braces are its own.
VIEWS: list[dict[str, Any]] = [
    {
        "name": "Campaigns",
        "href": f"{_BASE}/",
        "destination": "nav",
        "url_route": "campaigns",
        "nav_top_level": True,
        **_ICON,
    },
    {
        "name": "Campaigns",
        "href": f"{_BASE}/run/{{DAG_ID}}/{{RUN_ID}}",
        "destination": "dag_run",
        "url_route": "campaigns-of-run",
        **_ICON,
    },
    {
        "name": "Campaign",
        "href": f"{_BASE}/task/{{DAG_ID}}/{{TASK_ID}}/{{MAP_INDEX}}/{{RUN_ID}}",
        "destination": "task_instance",
        "url_route": "campaign-of-task",
        **_ICON,
    },
]


class LazyApp:
    """The page, an ASGI application that is made when it is first asked for."""

    @cached_property
    def _app(self) -> Callable[..., Awaitable[None]]:
        from airflow_provider_campaigns.plugins.app import create_app

        return create_app()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)


class CampaignsPlugin(AirflowPlugin):
    """The campaign page."""

    name = "campaigns"
    if AIRFLOW_V_3_1_PLUS:
        fastapi_apps = [{"app": LazyApp(), "url_prefix": PREFIX, "name": "Campaigns"}]
        external_views = VIEWS
