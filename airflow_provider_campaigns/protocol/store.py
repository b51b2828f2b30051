"""What a delivery, a creation or a sensor asks of the place where it keeps its state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable


class Store(Protocol):
    """Durable key-value state of one task instance; values are JSON."""

    def get(self, key: str) -> Any:
        """Return the value, None when there is none; raise when it cannot be read."""

    def set(self, key: str, value: Any) -> None:
        """Store the value durably, or raise."""

    def delete(self, key: str) -> None:
        """Delete the value, if there is one."""


@runtime_checkable
class TransactionalStore(Store, Protocol):
    """A store in which several steps are one."""

    def atomically(self, do: Callable[[], None]) -> None:
        """Do something of which all is stored, or nothing; it may be done twice, and none of it counts if it raises."""
