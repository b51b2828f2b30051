"""Signing in at a vendor that takes one token at a time and gives out few: every process of an account shares it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_campaigns.exceptions import OutcomeUnknownError, VendorError, VendorUnavailableError
from airflow_provider_campaigns.protocol import retry
from airflow_provider_campaigns.protocol.messages import Claim, Conversation, Keep, Recall, Release, Sleep

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.dialect import Dialect


def shared_token(
    dialect: Dialect, stale: str, make: Callable[[], Conversation[Keep]], per_hour: int
) -> Conversation[str]:
    """
    Return the token that the account's processes share; make a new one when there is none.

    :param dialect: its ``policy`` says how often to try, and how long to wait for another process's new token.
    :param stale: a token the vendor no longer takes; empty: any will do.
    :param make: asks the vendor for a new token, once; a repeat would count against ``per_hour``.
    :param per_hour: how many tokens the vendor gives in an hour.
    :raises CallRefusedError: the vendor does not take the credentials.
    :raises VendorUnavailableError: there is no token for now.
    """
    remembered: str | None = yield Recall()
    if remembered and remembered != stale:
        return remembered
    failures = 0
    while True:
        shared = yield from _shared_or_leave(dialect, stale, per_hour)
        if shared:
            return shared
        try:
            new = yield from make()
        except (VendorUnavailableError, OutcomeUnknownError) as error:
            yield Release(made=isinstance(error, OutcomeUnknownError))
            if failures == dialect.policy.retry_limit:
                raise VendorUnavailableError(error.vendor, f"no token: {error.message}", status=error.status) from None
            yield Sleep(retry.FIRST_BACKOFF * 2**failures, str(error))
            failures += 1
        except VendorError:
            yield Release(made=False)
            raise
        else:
            yield new
            return new.token


def _shared_or_leave(dialect: Dialect, stale: str, per_hour: int) -> Conversation[str | None]:
    """Return the shared token, or None when a new one may be made."""
    waited = 0.0
    while isinstance(answer := (yield Claim(stale, per_hour)), Sleep):
        waited += answer.seconds
        if waited > dialect.policy.max_wait:
            raise VendorUnavailableError(dialect.vendor, f"no token: {answer.reason}")
        yield answer
    shared: str | None = answer
    return shared
