"""What a look at a campaign tells: is it over, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Progress:
    """
    One look at what a sensor waits for.

    :param state: ``done`` (the vendor's final success state), ``failed`` (a final failure state), else ``going_on``.
    :param status: the vendor's own word for it.
    :param details: JSON-safe facts for the XCom and the log: counts, ids, a report's address; no recipient.
    """

    state: Literal["going_on", "done", "failed"]
    status: str
    details: Mapping[str, Any] = field(default_factory=dict)
