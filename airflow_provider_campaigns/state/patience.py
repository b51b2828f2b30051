"""
Waits while Airflow, or a database, cannot be reached: it is restarted, or the network fails for a moment.

What is stored there is stored whole, under keys that only this try writes, so that a write may be repeated although the
first one may have arrived.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_campaigns.protocol.attempts import Attempts

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.store import Store

log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds before the first attempt and the longest ones before later attempts; Airflow 3 itself makes several of each.
FIRST_WAIT = 1.0
LONGEST_WAIT = 15.0


def is_outage(error: BaseException) -> bool:
    """Whether Airflow could not be asked: no answer, a server error, or, in Airflow 2, no database."""
    from sqlalchemy.exc import InterfaceError, OperationalError

    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    reply = getattr(error, "error", None)
    if getattr(getattr(reply, "error", None), "name", None) != "API_SERVER_ERROR":
        return False
    status = (getattr(reply, "detail", None) or {}).get("status_code")
    return status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR


class Patience:
    """
    How long a task waits for what cannot be reached: Airflow, unless something else is named.

    :param seconds: it tries again for so long, 0: not at all.
    """

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._lost = False
        self.ended: Callable[[], bool] = lambda: False
        """Whether the task is to end: then there is one more attempt, and no waiting."""
        self.waiting: Callable[[], AbstractContextManager[Any]] = nullcontext
        """What holds while there is an outage."""

    def run(self, do: Callable[[], T], what: str = "Airflow") -> T:
        """
        Do something that Airflow is needed for, again and again if it cannot be reached.

        :param do: may be done twice.
        :param what: is needed for it, for messages.
        :raises Exception: what it raises: at once if this is no outage, or one was waited for in vain before.
        """
        try:
            result = do()
        except Exception as error:
            if not is_outage(error) or self._lost or not self._seconds:
                raise
            result = self._again(do, error, what)
        self._lost = False
        return result

    def _again(self, do: Callable[[], T], error: Exception, what: str) -> T:
        began = self._clock()
        log.warning(
            "%s cannot be reached (%s). Trying again for %g seconds; no request is begun meanwhile",
            what,
            type(error).__name__,
            self._seconds,
        )
        attempts = Attempts(is_outage, self._seconds, FIRST_WAIT, LONGEST_WAIT, self.ended, self._clock, self._sleep)
        try:
            with self.waiting():
                result = attempts.again(do)
        except Exception as failure:
            self._lost = is_outage(failure)
            raise
        log.info("%s can be reached again, after %.0f seconds", what, self._clock() - began)
        return result


class PatientStore:
    """A store that waits while Airflow cannot be reached."""

    def __init__(self, store: Store, patience: Patience) -> None:
        self._store = store
        self._patience = patience

    def get(self, key: str) -> Any:
        """Return the value, None when there is none; raises when the store cannot be asked."""
        return self._patience.run(partial(self._store.get, key))

    def set(self, key: str, value: Any) -> None:
        """Store the value, or raise."""
        self._patience.run(partial(self._store.set, key, value))

    def delete(self, key: str) -> None:
        """Delete the value, if there is one."""
        self._patience.run(partial(self._store.delete, key))
