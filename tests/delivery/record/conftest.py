"""Where ledgers are stored."""

from __future__ import annotations

import pytest

from tests.delivery.world import JsonStore


@pytest.fixture
def store() -> JsonStore:
    return JsonStore()
