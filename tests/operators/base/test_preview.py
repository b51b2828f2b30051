"""A preview does everything but send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from airflow_provider_campaigns.delivery.record.receipt import PreviewReceipt
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.contacts import MOST_OUTCOMES_IN_XCOM
from tests.delivery.world import World, phones
from tests.operators.base.acme import PEOPLE, MakeAcme
from tests.operators.contexts import MakeContext


def test_a_preview_does_everything_but_send(
    world: World, acme: MakeAcme, make_context: MakeContext, logs: Callable[[], str]
) -> None:
    contacts = [*PEOPLE, {"phone": "no number"}, {"phone": "+447700900099", "name": "the top-secret-key"}]
    context = make_context(max_tries=5)

    previewing = acme(contacts=contacts, exclude=phones(2), preview=True, batch_size=2)
    receipt = cast("PreviewReceipt", previewing.execute(context))

    text = logs()
    assert (receipt["unsent"], receipt["invalid"], receipt["requests"]) == (4, 3, 0)
    assert receipt["outcomes_path"] is None
    assert [row["name"] for row in receipt["first_rows"]] == ["Jo", "Jo", "Jo", "the ***"]
    assert "First request:" in text
    assert '"name": "Jo"' in text
    assert "4477009000" not in text
    assert world.requests == []
    assert world.values == {}
    assert context["task_state_store"].values == {}, "no try is recorded"


@pytest.mark.parametrize(
    "parameters",
    [
        {"contacts": []},
        {"columns": {"phone": "mobile"}},
        {"batch_size": 4},
        {"max_recipients": 4},
        {"max_rejected": "few"},
        {"on_unknown": "ignore"},
        {"contacts": [{"phone": phone} for phone in phones(MOST_OUTCOMES_IN_XCOM + 1)]},
    ],
)
def test_a_preview_finds_the_mistakes_that_a_delivery_would(
    acme: MakeAcme, make_context: MakeContext, parameters: Mapping[str, Any]
) -> None:
    with pytest.raises(InputError):
        acme(**parameters, preview=True).execute(make_context())
