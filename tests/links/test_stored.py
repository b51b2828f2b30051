"""Links: stored as soon as their address is known, and found again by all versions of Airflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat import sdk
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.links.campaign import CampaignLink
from airflow_provider_campaigns.links.collect import CollectPortalLink
from airflow_provider_campaigns.links.exotel import ExotelCampaignLink, ExotelReportLink
from airflow_provider_campaigns.links.stored import StoredLink

LINKS = [CampaignLink, CollectPortalLink, ExotelCampaignLink, ExotelReportLink]
OPERATOR: Any = None


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The XComs of a task instance."""
    values: dict[str, Any] = {}
    monkeypatch.setattr(sdk.XCom, "get_value", lambda *, ti_key, key: values.get(key))
    return values


def context(xcoms: dict[str, Any]) -> dict[str, Any]:
    return {"ti": SimpleNamespace(xcom_push=lambda key, value: xcoms.update({key: value}))}


@pytest.mark.parametrize("link", LINKS)
def test_what_was_stored_is_the_link(link: type[StoredLink], xcoms: dict[str, Any]) -> None:
    link.store(context(xcoms), "https://example.com/c1")
    assert link().get_link(OPERATOR, ti_key=None) == "https://example.com/c1"


@pytest.mark.parametrize("link", LINKS)
def test_it_is_stored_where_airflow_3_polls_for_it(link: type[StoredLink], xcoms: dict[str, Any]) -> None:
    # So Airflow's own base class names the key, from Airflow 3 on.
    link.store(context(xcoms), "https://example.com/c1")
    assert list(xcoms) == [f"_link_{link.__name__}"] == [link().xcom_key]


def test_without_an_address_there_is_no_link(xcoms: dict[str, Any]) -> None:
    assert ExotelReportLink().get_link(OPERATOR, ti_key=None) == ""


@pytest.mark.parametrize("url", [None, 7, "javascript:alert(1)", "/v2/accounts/sandbox1"])
def test_nothing_but_a_web_address_is_stored(url: object, xcoms: dict[str, Any]) -> None:
    ExotelReportLink.store(context(xcoms), url)
    assert xcoms == {}


def test_that_there_is_none_is_stored_where_airflow_asks_for_it_at_once(xcoms: dict[str, Any]) -> None:
    CampaignLink.store(context(xcoms), "")
    assert xcoms == ({"_link_CampaignLink": ""} if AIRFLOW_V_3_0_PLUS else {})
    assert CampaignLink().get_link(OPERATOR, ti_key=None) == ""


def test_what_cannot_be_stored_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def push(key: str, value: str) -> None:
        raise ConnectionError("no database today")

    CampaignLink.store({"ti": SimpleNamespace(xcom_push=push)}, "https://example.com/c1")

    assert "The link 'Campaign' cannot be stored (ConnectionError)" in caplog.text


def test_outside_of_a_task_nothing_is_stored() -> None:
    ExotelReportLink.store({}, "https://example.com/c1")


def test_each_link_has_a_name_of_its_own() -> None:
    assert len({link.name for link in LINKS}) == len(LINKS)
