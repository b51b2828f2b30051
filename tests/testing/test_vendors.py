"""The vendors of this package pass the contract tests that it ships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import pytest

from airflow_provider_campaigns.get_provider_info import get_provider_info
from airflow_provider_campaigns.operators.base import CampaignDeliveryOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.testing import VendorContract
from tests.connections import CREDENTIALS, keep_tokens_in_memory
from tests.integration.sends import SENDS, SendKind

pytestmark = [pytest.mark.newest_airflow, pytest.mark.slow]

HOOKS = {one["connection-type"]: one["hook-class-name"] for one in get_provider_info()["connection-types"]}


def hook_class(vendor: str) -> Any:
    module, _, name = HOOKS[vendor].rpartition(".")
    return getattr(import_module(module), name)


class SandboxContract(VendorContract):
    """One send, against the vendor's part of the sandbox."""

    kind: ClassVar[SendKind]

    def __init_subclass__(cls) -> None:
        cls.hook_class = hook_class(cls.kind.vendor)
        cls.contacts = [{cls.kind.column: person} for person in cls.kind.people(6)]

    @pytest.fixture
    def vendor(self, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> SandboxClient:
        keep_tokens_in_memory(monkeypatch)
        return sandbox

    def url(self, vendor: SandboxClient) -> str:
        return f"{vendor.url}/{self.kind.vendor}"

    def connection(self, url: str) -> Mapping[str, Any]:
        vendor = self.kind.vendor
        extra = {"login_url": url} if vendor == "xebo" else {}
        return {"conn_type": vendor, "host": url, **CREDENTIALS[vendor], "extra": extra}

    def is_send(self, method: str, path: str) -> bool:
        return method != "GET" and self.kind.path in path

    def operator(self, **parameters: Any) -> CampaignDeliveryOperator:
        campaign: dict[str, Any] = {self.kind.campaign: self.kind.campaign_form.format(1)}
        return self.kind.operator(**campaign, **self.kind.parameters, **parameters)

    def contacted(self, vendor: SandboxClient) -> Sequence[str]:
        received = vendor.received(self.kind.vendor)["contacts"]
        reached = [one["contact"] for one in received if one["outcome"] == "accepted"]
        return sorted(set(reached)) if self.kind.contacts_nobody else reached


def contract_of(name: str) -> type[SandboxContract]:
    return type(f"Test_{name.replace('-', '_')}", (SandboxContract,), {"kind": SENDS[name]})


for number, send in enumerate(SENDS):
    found = contract_of(send)
    globals()[found.__name__] = pytest.mark.counted(found) if number == 0 else found
