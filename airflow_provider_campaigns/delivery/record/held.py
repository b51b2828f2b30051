"""
Outcomes that the ledger holds until a part file is due: in object storage each part costs a request.

Without keys, which are a person's number or address: the source has them, and whoever writes the outcomes to a part
takes them from there.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from operator import itemgetter

from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome

# Outcomes that the ledger holds at the most.
MOST_HELD = 1_000
# And characters of them: Airflow 3.3 wants values below 64 KB.
MOST_CHARACTERS = 40_000

_OTHERS = itemgetter("reason", "vendor_id", "url", "message")
# What is held is alike from row to row; a higher level takes longer, and saves little.
_LEVEL = 1


def pack(lines: Iterable[Outcome]) -> str:
    """Return outcomes as short text, without their keys."""
    rows = [[line["row"], STATUSES.index(line["status"]), *_OTHERS(line)] for line in lines]
    return b64encode(zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), _LEVEL)).decode()


def unpack(text: str) -> Iterator[Outcome]:
    """Yield the outcomes in such text; their keys are None."""
    for row, status, reason, vendor_id, url, message in json.loads(zlib.decompress(b64decode(text))):
        yield Outcome(
            row=row, key=None, status=STATUSES[status], reason=reason, vendor_id=vendor_id, url=url, message=message
        )
