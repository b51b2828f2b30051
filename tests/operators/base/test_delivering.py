"""A delivering operator sends to each contact, returns a receipt, and stores an outcome for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from tests.delivery.conftest import empty_bucket
from tests.delivery.world import World, phones
from tests.operators.base.acme import PEOPLE, MakeAcme, statuses
from tests.operators.conftest import FakeOutletEvents
from tests.operators.contexts import MakeContext


def test_a_delivery_returns_its_receipt_and_stores_outcomes_in_xcom(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    context = make_context()

    receipt = acme().execute(context)

    assert receipt == {
        "vendor": "acme",
        "campaign": "spring",
        "contacts": 5,
        "accepted": 5,
        "duplicate": 0,
        "rejected": 0,
        "invalid": 0,
        "capped": 0,
        "unsent": 0,
        "unknown": 0,
        "requests": 2,
        "normalised": 0,
        "outcomes_path": None,
        "outcomes_xcom": {"dag_id": "campaigns", "run_id": "manual__2026-03-01", "task_id": "send", "map_index": -1},
    }
    assert sorted(world.contacted) == phones(5)
    assert set(context["ti"].pushed) == {"receipt", "outcomes"}
    assert context["ti"].pushed["receipt"] == receipt
    assert [line["key"] for line in context["ti"].pushed["outcomes"]] == phones(5)


@pytest.mark.parametrize(("preview", "accepted"), [(False, 5), (True, 0)])
def test_the_receipt_is_in_the_events_of_the_outlets(
    preview: bool, accepted: int, acme: MakeAcme, make_context: MakeContext
) -> None:
    sent = Asset("campaigns://acme/sent")
    events = FakeOutletEvents()

    receipt = dict(acme(outlets=[sent], preview=preview).execute(make_context() | {"outlet_events": events}))

    receipt.pop("first_rows", None)
    assert events.extras == {sent.uri: receipt}
    assert receipt["accepted"] == accepted


def test_its_progress_is_logged_without_recipients(
    acme: MakeAcme, make_context: MakeContext, logs: Callable[[], str]
) -> None:
    acme().execute(make_context())

    text = logs()
    assert "Delivering 5 rows of contacts to spring" in text
    assert "contacts 5, accepted 5" in text
    assert "447700900" not in text


def test_how_far_it_came_is_shown_in_the_ui(acme: MakeAcme, make_context: MakeContext) -> None:
    context = make_context()

    acme(contacts=[*PEOPLE, {"phone": "no number"}]).execute(context)

    note = context["task_state_store"].get("progress")
    assert (note["contacts"], note["done"], note["accepted"], note["invalid"]) == (6, 6, 5, 1)
    assert (note["vendor"], note["campaign"]) == ("acme", "spring")


def test_without_a_place_for_it_the_delivery_continues(
    acme: MakeAcme, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, logs: Callable[[], str]
) -> None:
    context = make_context()
    store = context["task_state_store"]
    keep = store.set

    def fail(key: str, value: Any, **options: Any) -> None:
        if key == "progress":
            raise ConnectionError("no database today")
        keep(key, value, **options)

    monkeypatch.setattr(store, "set", fail)

    assert acme().execute(context)["accepted"] == 5

    assert "cannot be shown in the UI (ConnectionError)" in logs()


@pytest.mark.parametrize(
    ("instance", "folder"),
    [
        ({}, "campaigns/manual__2026-03-01/send"),
        ({"map_index": 0}, "campaigns/manual__2026-03-01/send/0"),
        ({"map_index": 12}, "campaigns/manual__2026-03-01/send/12"),
        ({"dag_id": "a.b", "run_id": "x/../y", "task_id": "group.send"}, "a.b/x%2F..%2Fy/group.send"),
        ({"run_id": "a/b"}, "campaigns/a%2Fb/send"),
        ({"run_id": "a_b"}, "campaigns/a_b/send"),
        ({"run_id": "a%2Fb"}, "campaigns/a%252Fb/send"),
        ({"run_id": "..", "task_id": "."}, "campaigns/%2E%2E/%2E"),
        ({"run_id": "scheduled__2026-03-01T00:00:00+00:00"}, "campaigns/scheduled__2026-03-01T00:00:00+00:00/send"),
    ],
)
def test_each_task_instance_has_a_folder_of_its_own(
    tmp_path: Path,
    acme: MakeAcme,
    make_context: MakeContext,
    instance: Mapping[str, Any],
    folder: str,
) -> None:
    context = make_context(**instance)

    receipt = acme(outcomes_path=str(tmp_path / "out")).execute(context)

    assert receipt["outcomes_path"] == str(tmp_path / "out" / folder)
    assert statuses(read_outcomes(receipt["outcomes_path"])) == ["accepted"] * 5
    assert set(context["ti"].pushed) == {"receipt"}, "outcomes are in the folder alone"


def test_outcomes_can_go_to_object_storage(acme: MakeAcme, make_context: MakeContext) -> None:
    bucket = empty_bucket()

    receipt = acme(outcomes_path=bucket).execute(make_context())

    assert receipt["outcomes_path"] == f"{bucket}/campaigns/manual__2026-03-01/send"
    assert statuses(read_outcomes(receipt["outcomes_path"])) == ["accepted"] * 5


def test_parameters_reach_the_delivery(tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("mobile,first,notes\n" + "".join(f"{phone},Jo,private\n" for phone in [*phones(6), *phones(1)]))
    (tmp_path / "opt_outs.csv").write_text("number\n+44 7700 900001\n")
    context = make_context()

    receipt = acme(
        contacts=str(path),
        columns={"phone": "mobile"},
        exclude=str(tmp_path / "opt_outs.csv"),
        only_recipients=["+44770090000[0-4]"],
        batch_size="2",
        allow_repeats=True,
    ).execute(context)

    assert world.requests == [[phones(6)[0], phones(6)[2]], [phones(6)[3], phones(6)[4]], [phones(6)[0]]]
    assert [line["reason"] for line in context["ti"].pushed["outcomes"] if line["status"] == "invalid"] == [
        "in exclude",
        "not in only_recipients of the connection",
    ]
    assert (receipt["accepted"], receipt["invalid"]) == (5, 2)


def test_a_task_links_to_its_campaign_if_the_connection_names_its_page(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    context, without = make_context(), make_context()

    acme().execute(without)
    world.campaign_url = "https://acme.example.com/spring"
    acme().execute(context)

    assert context["ti"].pushed["_link_CampaignLink"] == "https://acme.example.com/spring"
    assert "_link_CampaignLink" not in without["ti"].pushed


def test_outside_a_task_it_delivers_all_the_same(world: World, acme: MakeAcme) -> None:
    assert acme().execute({})["accepted"] == 5
    assert len(world.contacted) == 5


def test_outside_a_task_the_folder_is_taken_as_it_is(tmp_path: Path, acme: MakeAcme) -> None:
    receipt = acme(outcomes_path=str(tmp_path)).execute({})

    assert receipt["outcomes_path"] == str(tmp_path)


def test_a_vendor_names_its_hook_and_its_send() -> None:
    bare = CampaignDeliveryOperator(task_id="send", contacts=PEOPLE)

    with pytest.raises(TypeError, match="names its hook"):
        bare.hook  # noqa: B018
    with pytest.raises(TypeError, match="makes its send"):
        bare.make_send()
