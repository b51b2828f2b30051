"""Makes malformed replies out of a good one: every node left out, or replaced by every kind of wrong value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from airflow_provider_campaigns.protocol.messages import Response

WRONG: tuple[Any, ...] = (None, True, 0, -1, 1.5, 10**400, "", "x", [], {}, [None], [[]], [{}], {"x": 1})


def page(name: str) -> dict[str, Any]:
    """Return the samples of a vendor's page by their name."""
    samples: dict[str, Any] = json.loads((Path(__file__).parent / name / "pages" / f"{name}.json").read_text())
    return samples


def damaged(sample: Any) -> Iterator[Any]:
    """Yield every malformed version of ``sample``."""
    yield from WRONG
    if isinstance(sample, dict):
        for name, value in sample.items():
            yield {key: deepcopy(other) for key, other in sample.items() if key != name}
            for wrong in damaged(value):
                yield {**deepcopy(sample), name: wrong}
    if isinstance(sample, list):
        for index, value in enumerate(sample):
            yield sample[:index] + sample[index + 1 :]
            yield [*sample, deepcopy(value)]
            for wrong in damaged(value):
                yield [*sample[:index], wrong, *sample[index + 1 :]]


NO_JSON = (b"", b"<html>Bad gateway</html>", b"\xff\xfe", b'{"status": "succ', b"NaN", b"[" * 100_000)


def damaged_replies(sample: Any) -> Iterator[Response]:
    """Yield every malformed version of ``sample``, and bodies that are no JSON, with every kind of HTTP status."""
    bodies = [*NO_JSON, *(json.dumps(body).encode() for body in damaged(sample))]
    for status in (200, 207, 302, 400, 401, 404, 429, 500):
        yield from (Response(status, body) for body in bodies)
