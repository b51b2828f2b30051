"""An operator or sensor names its hook, also one of a vendor that is not in this package."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from airflow_provider_campaigns.vendor_hook import WithHook


class OwnHook:
    """A hook of a user's own."""

    conn_name_attr = "own_conn_id"

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id


class Own(WithHook):
    hook_class = "own_vendor.OwnHook"
    own_conn_id = "own_eu"


def test_its_class_is_imported_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Own()
    module = ModuleType("own_vendor")
    module.OwnHook = OwnHook  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_vendor", module)
    assert isinstance(one.hook, OwnHook)
    assert one.hook.conn_id == "own_eu"
    assert one.hook is one.hook


def test_without_a_name_the_error_says_so() -> None:
    with pytest.raises(TypeError, match="WithHook names its hook in no hook_class"):
        WithHook().hook  # noqa: B018
