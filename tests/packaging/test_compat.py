"""Names that common-compat has only in younger releases come from Airflow itself where it does not have them."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from types import ModuleType
from typing import Any

import pytest
from airflow.providers.common.compat import sdk
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns import compat

COMMON_COMPAT = "airflow.providers.common.compat"


@pytest.fixture(autouse=True)
def nothing_found_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name is looked up again, and what a test finds is forgotten after it."""
    for name in compat.PLACES:
        monkeypatch.setitem(vars(compat), name, None)
        monkeypatch.delitem(vars(compat), name)


@pytest.fixture
def without_common_compat(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the oldest release that pyproject.toml allows: it has none of the names."""

    def import_module(name: str) -> ModuleType:
        if name.startswith(COMMON_COMPAT):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return importlib.import_module(name)

    monkeypatch.setattr(compat, "import_module", import_module)


@pytest.mark.parametrize("name", compat.PLACES)
def test_a_common_compat_that_has_the_name_comes_first(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module, attribute = compat.PLACES[name][0]
    assert module.startswith(COMMON_COMPAT)
    young = ModuleType(module)
    setattr(young, attribute, expected := object())
    monkeypatch.setitem(sys.modules, module, young)

    assert getattr(compat, name) is expected


@pytest.mark.parametrize("name", compat.PLACES)
def test_a_common_compat_without_the_name_is_passed_over(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module, _ = compat.PLACES[name][0]
    monkeypatch.setitem(sys.modules, module, ModuleType(module))

    assert getattr(compat, name).__module__.startswith("airflow.")


def test_an_event_trigger_is_airflows_own(without_common_compat: None) -> None:
    from airflow.triggers import base

    expected = base.BaseEventTrigger if AIRFLOW_V_3_0_PLUS else base.BaseTrigger
    assert compat.BaseEventTrigger is expected


def test_a_secret_is_hidden_by_airflows_own_masker(without_common_compat: None) -> None:
    compat.mask_secret("an-access-token-of-a-test")

    assert sdk.redact("Bearer an-access-token-of-a-test") == "Bearer ***"


def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = compat.mask_secret
    monkeypatch.setattr(compat, "import_module", None)

    assert compat.mask_secret is found


def test_a_name_that_is_nowhere_is_an_error(without_common_compat: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(compat.PLACES, "mask_secret", compat.PLACES["mask_secret"][:1])

    with pytest.raises(ImportError, match="mask_secret"):
        from airflow_provider_campaigns.compat import mask_secret  # noqa: F401
    with pytest.raises(AttributeError, match="another_name"):
        _ = compat.another_name


@pytest.mark.parametrize("masks_without_blocking", [True, False])
def test_a_connection_is_found_without_blocking_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, masks_without_blocking: bool
) -> None:
    calls: list[tuple[str, str, bool]] = []

    def note(method: str, conn_id: str) -> Any:
        calls.append((method, conn_id, threading.current_thread() is threading.main_thread()))
        return sdk.Connection(conn_id=conn_id)

    async def aget_connection(conn_id: str) -> Any:
        return note("aget_connection", conn_id)

    monkeypatch.setattr(sdk.BaseHook, "aget_connection", aget_connection, raising=False)
    monkeypatch.setattr(sdk.BaseHook, "get_connection", lambda conn_id: note("get_connection", conn_id))
    # Airflow 3.3.2 and later have it.
    monkeypatch.setattr(sdk.Connection, "aextra_dejson", None, raising=False)
    if not masks_without_blocking:
        monkeypatch.delattr(sdk.Connection, "aextra_dejson")

    connection = asyncio.run(compat.get_async_connection("exotel_default"))

    assert connection.conn_id == "exotel_default"
    expected = ("aget_connection", True) if masks_without_blocking else ("get_connection", False)
    assert calls == [(expected[0], "exotel_default", expected[1])]
