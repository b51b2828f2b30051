"""What became of the contacts of one delivery: reasons with counts, and the first outcomes, masked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from airflow_provider_campaigns.delivery.record.folder_names import is_folder_of
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcome_parts import is_outcome
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
from airflow_provider_campaigns.delivery.storage import check_root, locate
from airflow_provider_campaigns.exceptions import CampaignError, shown
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.overview.delivery import DeliveryView
from airflow_provider_campaigns.overview.metadata import MetadataSource

MOST_READ = 10_000
"""Outcomes of a delivery that are read."""
MOST_SHOWN = 50
MOST_REASONS = 20
LONGEST_REASON = 200


@dataclass(frozen=True)
class Reason:
    """Why contacts ended with a status."""

    status: str
    text: str
    count: int


@dataclass(frozen=True)
class MaskedOutcome:
    """What became of one row; nobody is named."""

    row: int
    key: str
    status: str
    reason: str
    vendor_id: str


@dataclass(frozen=True)
class Sample:
    """
    Some outcomes of a delivery.

    :param reasons: of those that were read and are not accepted, the most frequent first.
    :param first: the first ones.
    :param read: how many were read.
    :param whole: all were.
    :param problem: why they could not be read, else empty.
    """

    reasons: Sequence[Reason] = ()
    first: Sequence[MaskedOutcome] = ()
    read: int = 0
    whole: bool = True
    problem: str = ""


def read_sample(view: DeliveryView, metadata: MetadataSource, status: str = "") -> Sample:
    """
    Return some outcomes of a delivery.

    :param metadata: has outcomes that are in no folder.
    :param status: which ones are shown; default all.
    """
    try:
        lines = list(islice(_lines(view, metadata), MOST_READ))
    except (CampaignError, ImportError, OSError, ValueError) as error:
        return Sample(problem=shown(f"{type(error).__name__}: {error}"), whole=False)
    reasons = Counter(
        (line["status"], _text(line["reason"] or line["message"])) for line in lines if line["status"] != "accepted"
    )
    lines.sort(key=lambda line: line["row"])
    wanted = (line for line in lines if status in {"", line["status"]})
    return Sample(
        [Reason(*key, count) for key, count in reasons.most_common(MOST_REASONS)],
        [masked(line) for line in islice(wanted, MOST_SHOWN)],
        len(lines),
        sum(view.counts.values()) <= len(lines) < MOST_READ,
    )


def read_outcomes(view: DeliveryView, metadata: MetadataSource, status: str, most: int) -> list[Outcome]:
    """
    Return the first outcomes with a status, in clear: they name people, and are for who asks the vendor.

    :param most: how many, of those that are read.
    :raises CampaignError: they could not be read.
    """
    try:
        found = [line for line in islice(_lines(view, metadata), MOST_READ) if line["status"] == status]
    except (ImportError, OSError, ValueError) as error:
        raise CampaignError(shown(f"{type(error).__name__}: {error}")) from None
    return sorted(found, key=lambda line: line["row"])[:most]


def _lines(view: DeliveryView, metadata: MetadataSource) -> Iterator[Outcome]:
    if not view.outcomes_path:
        return _in_xcom(metadata.outcomes(view.task))
    if not is_folder_of(view.task, view.outcomes_path):
        # It comes from an XCom, which may say anything.
        raise ValueError("the folder of the receipt is not that of this task")
    check_root(view.outcomes_path, "outcomes_path")
    folder = locate(view.outcomes_path)
    if not folder.is_dir():
        raise FileNotFoundError("the folder cannot be seen from here: it is on another machine, or was removed")
    return OutcomeFolder(folder).some(MOST_READ)


def _in_xcom(text: str | None) -> Iterator[Outcome]:
    found: Any = json.loads(text) if text else []
    lines: Iterable[Any] = found if isinstance(found, list) else []
    return (cast("Outcome", line) for line in lines if is_outcome(line))


def masked(line: Outcome) -> MaskedOutcome:
    """Return an outcome so that nobody is named by it."""
    known = [line["key"]] if line["key"] else []
    return MaskedOutcome(
        row=line["row"],
        key=_hidden(line["key"] or ""),
        status=line["status"],
        reason=_text(line["reason"] or line["message"], known),
        vendor_id=_text(line["vendor_id"], known),
    )


def _hidden(key: str) -> str:
    """Return a contact's key so that nobody is named by it; an id may name somebody as a number does."""
    masked = mask(key)
    return shown(masked if masked != key else f"{key[:2]}***{key[-2:]}" if len(key) > 6 else "***", 40)


def _text(text: str | None, known: Sequence[str] = ()) -> str:
    return shown(mask(text or "", known), LONGEST_REASON)
