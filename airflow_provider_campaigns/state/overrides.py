"""
What a person chooses for one task instance without editing its DAG: the Airflow Variable ``campaigns_override``.

Airflow's Clear dialog takes no parameters, on no version; a Variable can be set in the UI, by the REST API and by the
command line on all of them. It holds a JSON list of objects (or one object)::

    [{"dag_id": "…", "run_id": "…", "task_id": "…", "map_index": 3, "on_cleared": "resend", "on_unknown": "skip"}]

without ``map_index`` for a task that is not mapped, or for all its map indexes. An entry is applied once, when the task
is cleared: its digest is stored in the task's ledger together with what it changes, before anything is sent.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.state import variables
from airflow_provider_campaigns.state.cleared import Clearing

log = logging.getLogger(__name__)

VARIABLE = "campaigns_override"

CHOICES = {"on_cleared": ("resume", "resend"), "on_unknown": ("fail", "skip", "resend")}
_TASK = ("dag_id", "run_id", "task_id")
_FIELDS = {*_TASK, "map_index", "note", *CHOICES}
EXPECTED = f"a JSON list of objects with {', '.join(_TASK)}, perhaps map_index, and on_cleared or on_unknown"


@dataclass(frozen=True)
class Override:
    """
    What a person chose.

    :param choices: parameters by name.
    :param consumed: digests of the entries they come from.
    """

    choices: Mapping[str, str] = field(default_factory=dict)
    consumed: tuple[str, ...] = ()

    @property
    def resend(self) -> bool:
        """Whether to send to everybody again."""
        return self.choices.get("on_cleared") == "resend"

    @property
    def on_unknown(self) -> str:
        """What to do with unknown contacts; empty: what the DAG says."""
        return self.choices.get("on_unknown", "")


def find_override(ti: Any, consumed: Collection[str] = ()) -> Override:
    """
    Return what a person chose for a task instance that was cleared.

    :param consumed: digests of entries that were applied before.
    :raises InputError: the Variable holds something else than ``EXPECTED``.
    """
    choices: dict[str, str] = {}
    digests: list[str] = []
    for entry in _entries():
        if not _names(entry, ti):
            continue
        digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:16]
        if digest in consumed:
            log.warning(
                "An entry of the Variable %s was applied to this task before, and is ignored; to apply it again, add a "
                "'note' to it, or change the note",
                VARIABLE,
            )
            continue
        choices.update({name: entry[name] for name in CHOICES if name in entry})
        digests.append(digest)
    return Override(choices, tuple(digests))


def with_override(ti: Any, clearing: Clearing, consumed: Collection[str]) -> tuple[Clearing, list[str]]:
    """
    Return what is known of a task's having been cleared, with what a person chose for it.

    :param consumed: digests of entries that were applied before.
    :return: and the digests with those that are applied now, to be stored with the next intent.
    :raises InputError: as ``find_override``.
    """
    if ti is None or not clearing.cleared:
        return clearing, list(consumed)
    override = find_override(ti, consumed)
    chosen = clearing._replace(start_again=clearing.start_again or override.resend)
    return chosen, [*consumed, *override.consumed]


def add_override(ti: Any, choices: Mapping[str, str], note: str) -> None:
    """
    Make choices for a task instance, in place of earlier ones for the same; entries for other tasks stay.

    :param choices: parameters by name.
    :param note: makes it a new entry: one that was applied before is ignored.
    :raises InputError: the Variable holds something else than ``EXPECTED``, or there is no such choice.
    """
    entry = {**_entry(ti), **choices, "note": note}
    _names(entry, ti)
    others = [one for one in _entries() if _task_in(one) != _task_in(entry)]
    variables.write(VARIABLE, json.dumps([*others, entry]), "choices for single task instances, applied once")


def remove_override(ti: Any) -> bool:
    """
    Delete the Variable, if all it has is one entry for this task instance alone; return whether it was deleted.

    A list is never rewritten: two tasks that do so at once could bring back an entry that was applied.
    """
    entries = _entries()
    is_only = len(entries) == 1 and _names(entries[0], ti) and (_index(ti) is None or "map_index" in entries[0])
    if is_only:
        variables.delete(VARIABLE)
    return is_only


def instructions(ti: Any, choices: Mapping[str, str]) -> str:
    """Return how a person makes these choices for a task instance without editing the DAG."""
    entry = _entry(ti)
    return (
        f"Without editing the DAG: set the Airflow Variable {VARIABLE} to {json.dumps([{**entry, **choices}])}, "
        f"then clear the task; it is applied once (`{_command(entry, choices)}` sets it)"
    )


def _command(entry: Mapping[str, Any], choices: Mapping[str, str]) -> str:
    """Return the command that makes choices for a task instance."""
    words = ["python", "-m", "airflow_provider_campaigns", "skip" if "skip" in choices.values() else "resend"]
    words += [entry[name] for name in _TASK]
    words += ["--map-index", str(entry["map_index"])] if "map_index" in entry else []
    words += ["--everybody"] if "on_cleared" in choices else []
    return shlex.join(words)


def _entry(ti: Any) -> dict[str, Any]:
    """Return what names a task instance in an entry."""
    entry: dict[str, Any] = {name: getattr(ti, name) for name in _TASK}
    if (index := _index(ti)) is not None:
        entry["map_index"] = index
    return entry


def _task_in(entry: Mapping[str, Any]) -> list[Any]:
    return [entry.get(name) for name in (*_TASK, "map_index")]


def _entries() -> list[dict[str, Any]]:
    text = variables.read(VARIABLE)
    if text is None:
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"Airflow Variable {VARIABLE}", EXPECTED, "no JSON") from None
    entries = found if isinstance(found, list) else [found]
    for entry in entries:
        if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in _TASK):
            raise InputError(f"Airflow Variable {VARIABLE}", EXPECTED, repr(entry)[:200])
    return entries


def _names(entry: Mapping[str, Any], ti: Any) -> bool:
    """
    Whether an entry is for a task instance.

    :raises InputError: it is, and chooses something that there is not.
    """
    if any(entry[name] != getattr(ti, name) for name in _TASK):
        return False
    if entry.get("map_index") is not None and entry["map_index"] != (_index(ti) if _index(ti) is not None else -1):
        return False
    wrong = sorted(set(entry) - _FIELDS)
    wrong += [name for name, values in CHOICES.items() if name in entry and entry[name] not in values]
    if wrong or not CHOICES.keys() & entry.keys():
        got = f"{wrong[0]}: {entry[wrong[0]]!r}" if wrong else "neither on_cleared nor on_unknown"
        raise InputError(f"Airflow Variable {VARIABLE}", EXPECTED, got)
    return True


def _index(ti: Any) -> int | None:
    """Return the map index, None for a task that is not mapped."""
    index: int | None = ti.map_index
    return index if index is not None and index >= 0 else None
