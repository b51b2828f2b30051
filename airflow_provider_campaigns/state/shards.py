"""
Which map index of a mapped task sends which shard to which campaign: a Variable per shard, named after a fingerprint of
both.

A task instance finds its own ledger by its map index; if upstream yields the same shards in another order, that is
another shard's ledger, or none; and upstream may yield one shard twice. So before a shard is sent, its map index is
stored under that fingerprint, and a task that finds another index there does not send it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from airflow_provider_campaigns.exceptions import LedgerError
from airflow_provider_campaigns.state import variables

# Seconds by which the clocks of worker and scheduler may differ.
CLOCKS_DIFFER = 300.0


class ShardRegister:
    """
    The shards of one mapped task of one run.

    :param ti: the task instance.
    :param run: its DAG run.
    """

    def __init__(self, ti: Any, run: Any) -> None:
        self._ti = ti
        self._run = run

    def other_owner(self, fingerprint: str) -> int | None:
        """
        Return the other map index that sends, or sent, these contacts; None if there is none.

        :raises LedgerError: what is stored is damaged.
        """
        entry = self._read(fingerprint)
        if entry is None or entry["map_index"] == self._ti.map_index or self._is_of_deleted_run(entry):
            return None
        return int(entry["map_index"])

    def claim(self, fingerprint: str) -> None:
        """
        Store that this map index sends these contacts.

        :raises LedgerError: another one claims them at the same moment.
        """
        entry = {"map_index": self._ti.map_index, "at": time.time()}
        text = json.dumps(entry)
        variables.write(self._name(fingerprint), text, "which map index of a task sends which contacts")
        if (other := self.other_owner(fingerprint)) is not None:
            raise LedgerError(f"map index {other} of this task is about to send the same contacts. Nothing was sent")

    def release(self, fingerprint: str) -> None:
        """Remove the claim, if it is this map index's: none of these contacts was reached."""
        entry = self._read(fingerprint)
        if entry is not None and entry["map_index"] == self._ti.map_index:
            variables.delete(self._name(fingerprint))

    def _read(self, fingerprint: str) -> dict[str, Any] | None:
        text = variables.read(self._name(fingerprint))
        if text is None:
            return None
        try:
            entry = json.loads(text)
            return {"map_index": int(entry["map_index"]), "at": float(entry["at"])}
        except (ValueError, TypeError, KeyError, RecursionError):
            name = self._name(fingerprint)
            raise LedgerError(
                f"Airflow Variable {name} is damaged; it says which map index sends which contacts"
            ) from None

    def _is_of_deleted_run(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry is older than the run: one with the same id was deleted."""
        start = getattr(self._run, "start_date", None)
        # Clearing a run gives it a new start date.
        never_cleared = getattr(self._run, "clear_number", None) == 0
        return bool(start and never_cleared and entry["at"] < start.timestamp() - CLOCKS_DIFFER)

    def _name(self, fingerprint: str) -> str:
        identity = json.dumps([self._ti.dag_id, self._ti.run_id, self._ti.task_id, fingerprint])
        return f"campaigns_shard_{hashlib.sha256(identity.encode()).hexdigest()[:32]}"


def shard_register(context: Mapping[str, Any]) -> ShardRegister | None:
    """Return the register of the shards of a mapped task, None for a task that is not mapped."""
    ti = context.get("ti")
    if ti is None or ti.map_index is None or ti.map_index < 0:
        return None
    return ShardRegister(ti, context.get("dag_run"))
