"""What a vendor says of who opted out, in one form for all vendors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class SubscriptionChange(NamedTuple):
    """
    Somebody opted out, or in again.

    :param names: fields that name them, as the vendor has them: personal data.
    :param subscribed: they may be contacted since.
    """

    names: Mapping[str, Any]
    subscribed: bool

    def __repr__(self) -> str:
        return "SubscriptionChange()"
