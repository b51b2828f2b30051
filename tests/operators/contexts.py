"""The context that a test executes an operator with; the fixture ``make_context`` makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MakeContext = Callable[..., Any]
"""
``make_context(try_number=1, max_tries=0, state=None, **ti)``: with the same ``state`` they are tries of one task.
"""

State = dict[str, str]
"""What the tries of a task instance stored: JSON text by key."""
