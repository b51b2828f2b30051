"""Extras of a connection: one that its type does not have is an error, for it would have no effect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.get_provider_info import connection_type, get_provider_info
from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.hooks.collect import CollectHook
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
from airflow_provider_campaigns.hooks.xebo import XeboHook
from airflow_provider_campaigns.hooks.xtremepush import XtremepushHook

HOOKS: dict[str, type[CampaignHook]] = {
    "collect": CollectHook,
    "exotel": ExotelHook,
    "ozonetel": OzonetelHook,
    "xebo": XeboHook,
    "xtremepush": XtremepushHook,
}


def hook(monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], vendor: str = "ozonetel") -> Any:
    fields = {"conn_type": vendor, "host": "http://localhost:9", "login": "user", "password": "key", "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT", json.dumps(fields))
    return HOOKS[vendor](f"{vendor}_default")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"only_recipient": "*@example.com"}, "'only_recipient'; did you mean 'only_recipients'"),
        ({"Only_Recipients": "*@example.com"}, "'Only_Recipients'; did you mean 'only_recipients'"),
        ({"only recipients": "*"}, "'only recipients'; did you mean 'only_recipients'"),
        ({"requests-per-minute": 5}, "'requests-per-minute'; did you mean 'requests_per_minute'"),
        ({"extra__ozonetel__timeot": 5}, "'extra__ozonetel__timeot'; did you mean 'timeout'"),
        ({"extra__exotel__timeout": 5}, "'extra__exotel__timeout'"),
        ({"account_sid": "another vendor's"}, "'account_sid'"),
        ({"timeout": 5, "extra__ozonetel__timeout": 6}, "one value of timeout"),
    ],
)
def test_an_extra_that_has_no_effect_is_an_error(
    extra: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = f"extra of connection 'ozonetel_default': .*{message}"
    for use in ("dialect", "only_recipients", "transport", "region"):
        with pytest.raises(InputError, match=expected):
            getattr(hook(monkeypatch, extra), use)

    works, said = hook(monkeypatch, extra).test_connection()
    assert not works
    assert message in said


@pytest.mark.parametrize(
    "extra",
    [
        {"only_recipients": "*@example.com"},
        {"extra__ozonetel__only_recipients": "*@example.com"},
        {"extra__ozonetel__only_recipients": "*@example.com", "only_recipients": ""},
        {"only_recipients": "*@example.com", "extra__ozonetel__only_recipients": None},
        {"only_recipients": "*@example.com", "extra__ozonetel__only_recipients": "*@example.com"},
    ],
)
def test_names_with_the_prefix_of_old_forms_are_understood(
    extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hook(monkeypatch, extra).only_recipients == ("*@example.com",)


@pytest.mark.parametrize("vendor", [one["connection-type"] for one in get_provider_info()["connection-types"]])
def test_every_extra_of_the_form_is_known(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = connection_type(vendor)["conn-fields"]

    assert set(hook(monkeypatch, dict.fromkeys(names), vendor).fields.extras) == set(names)


@pytest.mark.parametrize("vendor", ["exotel", "ozonetel", "xebo"])
def test_a_region_is_a_country(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hook(monkeypatch, {}, vendor).region is None
    assert hook(monkeypatch, {"region": " in "}, vendor).region == "IN"

    wrong = hook(monkeypatch, {"region": "India"}, vendor)
    with pytest.raises(InputError, match=f"region of connection '{vendor}_default': expected a country"):
        _ = wrong.region
    assert wrong.test_connection()[0] is False
