"""Tasks that wait for a campaign, and what the vendor said of it when it was last polled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_campaigns.exceptions import shown
from airflow_provider_campaigns.overview.delivery import TaskId
from airflow_provider_campaigns.overview.metadata import MetadataSource
from airflow_provider_campaigns.overview.notes import in_utc, name_of, parse_note, time_of
from airflow_provider_campaigns.state.metadata import TASK_COLUMNS

MOST_WAITING = 200
MOST_FACTS = 12
LONGEST_FACT = 80


@dataclass(frozen=True)
class CampaignWait:
    """
    A task that waits for a campaign.

    :param status: the vendor's word for it.
    :param facts: counts and ids that the vendor named.
    :param since: when the task began, UTC; None before it did.
    :param updated: when the vendor was polled, UTC.
    """

    task: TaskId
    task_state: str | None
    vendor: str
    status: str
    facts: Mapping[str, str]
    since: datetime | None
    updated: datetime | None


def waiting(metadata: MetadataSource, dag_ids: Collection[str] | None) -> Sequence[CampaignWait]:
    """
    Return tasks that wait for a campaign, those that wait longest first.

    :param dag_ids: of DAGs that may be read; None: all.
    """
    return [_waiting(row) for row in metadata.unfinished_notes('"waits_for": ', dag_ids, MOST_WAITING)]


def _waiting(row: Any) -> CampaignWait:
    note = parse_note(row["note"])
    return CampaignWait(
        task=TaskId(*(row[name] for name in TASK_COLUMNS)),
        task_state=row["state"],
        vendor=name_of(note, "waits_for"),
        status=shown(name_of(note, "status"), LONGEST_FACT),
        facts=_facts(note.get("facts")),
        since=in_utc(row["start_date"]) if row["start_date"] else None,
        updated=time_of(note, "updated"),
    )


def _facts(facts: object) -> dict[str, str]:
    """Return what the vendor named, counts first."""
    if not isinstance(facts, dict):
        return {}
    known = [(name, value) for name, value in facts.items() if isinstance(value, (int, float, str)) and value != ""]
    known.sort(key=lambda fact: isinstance(fact[1], str))
    return {shown(name, LONGEST_FACT): shown(str(value), LONGEST_FACT) for name, value in known[:MOST_FACTS]}
