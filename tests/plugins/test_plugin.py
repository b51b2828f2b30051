"""Airflow finds the plugin; where its UI shows no pages it is empty."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_campaigns.get_provider_info import get_provider_info
from airflow_provider_campaigns.plugins.campaigns import CampaignsPlugin, LazyApp


def test_it_is_one_that_airflow_takes() -> None:
    (entry,) = get_provider_info()["plugins"]
    assert entry["plugin-class"] == f"{CampaignsPlugin.__module__}.{CampaignsPlugin.__name__}"
    assert entry["name"] == CampaignsPlugin.name

    if AIRFLOW_V_3_1_PLUS:
        validate: Any = CampaignsPlugin.validate
        validate()
        (app,) = CampaignsPlugin.fastapi_apps
        assert isinstance(app["app"], LazyApp)
        assert [view["destination"] for view in CampaignsPlugin.external_views] == ["nav", "dag_run", "task_instance"]
    else:
        assert not getattr(CampaignsPlugin, "external_views", [])
        assert not getattr(CampaignsPlugin, "fastapi_apps", [])
