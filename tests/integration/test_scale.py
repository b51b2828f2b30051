"""The largest Exotel campaign that one call takes; the other vendors' thousands are in their operators' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted
from tests.operators.conftest import make_context
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import write_csv

__all__ = ["make_context"]

pytestmark = pytest.mark.newest_airflow

# Ofcom keeps these numbers of Leeds, Sheffield, Nottingham, Leicester and Bristol free for drama.
NUMBERS = [f"+44{area}4960{number:03}" for area in range(113, 118) for number in range(1000)]


def test_five_thousand_numbers_are_one_campaign_in_one_request(
    monkeypatch: pytest.MonkeyPatch,
    sandbox: SandboxClient,
    make_context: MakeContext,
    tmp_path: Path,
) -> None:
    connect(monkeypatch, sandbox, "exotel")
    numbers = write_csv(tmp_path / "numbers.csv", [{"number": number} for number in NUMBERS])

    campaign = CreateExotelCampaignOperator(
        task_id="create", name="Everybody", caller_id="+442079460000", read_via_text="Hello", contacts=numbers
    ).execute(make_context())

    assert campaign["from"] == 5000
    assert contacted(sandbox, "exotel") == NUMBERS
    assert calls(sandbox, "exotel") == ["list_campaigns", "create_campaign"]
