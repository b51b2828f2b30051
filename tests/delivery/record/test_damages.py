"""
Whatever happened to what was stored, a later try continues correctly or sends nothing.

Feared: a key that is deleted, empty, altered, truncated or of another form; one that contradicts the others; a number
of the latest try that no try has; files of outcomes that are truncated, or no text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.record.ledger import KEYS, Ledger
from airflow_provider_campaigns.delivery.record.outcome import count
from airflow_provider_campaigns.exceptions import DeliveryError, LedgerError
from tests.delivery.world import Crash, Plan, World, phones, run_try

ROWS = ["no number", *phones(13), phones(1)[0]]
KILLED_AT = (3, 5)
"""The requests at which two tries are killed."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FALSY: list[Any] = [None, False, 0, 0.0, "", [], {}]


def half_done(folder: Path | None) -> tuple[World, Plan]:
    """Return a world in which two tries of a delivery were killed."""
    world = World()
    plan = Plan(ROWS, folder, batch_size=2, max_concurrency=1)
    world.answer = lambda number, keys: (
        world.accept_and_die(number, keys) if number in KILLED_AT else world.accept(keys)
    )
    for _ in KILLED_AT:
        with pytest.raises(Crash):
            run_try(world, plan)
    world.answer = None
    assert len(world.requests) == KILLED_AT[-1]
    return world, plan


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to all parts of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, part in items for place in places(part, (*path, name)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a JSON value with another part at ``path``."""
    if not path:
        return new
    copied = value.copy()
    copied[path[0]] = changed(value[path[0]], path[1:], new)
    return copied


def damage(world: World, data: st.DataObject) -> str:
    """Damage one key, and return what was done."""
    key = data.draw(st.sampled_from(sorted(world.values)), "key")
    value = json.loads(world.values[key])
    kind = data.draw(st.sampled_from(["deleted", "falsy", "another value", "altered"]), "kind")
    if kind == "deleted":
        del world.values[key]
        return f"{key} deleted"
    place: tuple[Any, ...] = data.draw(st.sampled_from(places(value)), "place") if kind == "altered" else ()
    new = data.draw(st.sampled_from(FALSY) if kind == "falsy" else json_values, "new")
    world.values[key] = json.dumps(changed(value, place, new))
    return f"{key}{place}: {new!r}"


def check_next_try(world: World, plan: Plan) -> None:
    """Run a try: it continues correctly, or sends nothing."""
    requests = len(world.requests)
    try:
        receipt, outcomes = run_try(world, plan)
    except LedgerError:
        assert len(world.requests) == requests, "the error came before the first request"
    except DeliveryError:
        # Outcomes are lost of which the ledger cannot tell.
        assert len(world.requests) > requests
    else:
        assert receipt["contacts"] == len(ROWS) == len(outcomes)
        # By row: what else an outcome holds is not checked.
        unknown = {str(ROWS[line["row"] - 1]) for line in outcomes if line["status"] == "unknown"}
        assert set(world.contacted) | unknown == set(phones(13))
    assert world.most_often <= 1


@pytest.mark.slow
@pytest.mark.parametrize("in_folder", [True, False])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_ledger_contacts_nobody_twice(in_folder: bool, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        world, plan = half_done(Path(folder) if in_folder else None)
        for _ in range(data.draw(st.sampled_from([1, 1, 2]), "damages")):
            damage(world, data)

        check_next_try(world, plan)


@pytest.mark.parametrize("key", ["try-1", "try-2", KEYS.latest])
@pytest.mark.parametrize("value", [*FALSY, 10**30, -1, True, "1", {"settled": [[1, 5]]}, [[1, 5]]])
def test_a_key_that_holds_something_else_is_an_error_or_changes_nothing(tmp_path: Path, key: str, value: Any) -> None:
    world, plan = half_done(tmp_path)
    world.values[key] = json.dumps(value)

    check_next_try(world, plan)


@pytest.mark.parametrize("key", ["try-1", "try-2"])
def test_a_key_that_is_gone_is_named(tmp_path: Path, key: str) -> None:
    world, plan = half_done(tmp_path)
    del world.values[key]

    with pytest.raises(LedgerError, match=f"{key} is missing. Nothing was sent") as caught:
        run_try(world, plan)

    assert caught.value.remedy == {"on_cleared": "resend"}


def test_an_altered_record_is_named(tmp_path: Path) -> None:
    world, plan = half_done(tmp_path)
    value = json.loads(world.values["try-2"])
    world.values["try-2"] = json.dumps({**value, "settled": []})

    with pytest.raises(LedgerError, match=r"try-2: its checksum is wrong. Nothing was sent"):
        run_try(world, plan)


def test_a_latest_try_that_is_gone_loses_nothing(tmp_path: Path) -> None:
    world, plan = half_done(tmp_path)
    del world.values[KEYS.latest]

    receipt, _ = run_try(world, plan)

    assert receipt["contacts"] == len(ROWS)
    assert world.most_often == 1


def test_a_person_may_send_to_everybody_again_whatever_is_damaged(tmp_path: Path) -> None:
    world, _ = half_done(tmp_path)
    world.values[KEYS.latest], world.values["try-1"] = '"?"', "17"
    del world.values["try-2"]
    world.start_process()
    ledger = Ledger.open(world)

    ledger.begin(1, resend="always")

    assert not ledger.began
    retry = Ledger.open(world)
    retry.begin(1, resend="always")


# -- files of outcomes


def truncated(text: bytes) -> bytes:
    return text[:-7]


def no_text(text: bytes) -> bytes:
    return text[:10] + b"\xff" + text[10:]


def of_another_form(text: bytes) -> bytes:
    return text + b'{"row": "1"}\n'


@pytest.mark.parametrize("spoil", [truncated, no_text, of_another_form, lambda text: b"[1]\n", lambda text: b"\0" * 40])
def test_a_damaged_file_of_outcomes_is_an_error_that_names_it(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    world, plan = half_done(tmp_path)
    part = max(tmp_path.glob("part-001-0*.jsonl"))
    part.write_bytes(spoil(part.read_bytes()))
    requests = len(world.requests)

    with pytest.raises(LedgerError, match=part.name):
        run_try(world, plan)
    with pytest.raises(LedgerError, match=part.name):
        count(read_outcomes(tmp_path))

    assert len(world.requests) == requests
