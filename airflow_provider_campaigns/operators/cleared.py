"""What a task that was cleared does: it goes on where its tries stopped, or begins anew."""

from __future__ import annotations

from typing import Any, Literal, get_args

from airflow_provider_campaigns.exceptions import InputError

OnCleared = Literal["resume", "resend"]


def generation(ti: Any, retries: int | None, on_cleared: str) -> tuple[bool, int | None]:
    """
    Return whether the task was cleared, and the number of what it begins anew; None: it goes on.

    Airflow allows a cleared task as many more tries (``max_tries``) as it has retries; so the number stays the same
    until the task is cleared again.

    :param ti: the task instance, None outside of a task.
    :param retries: of the operator.
    :param on_cleared: ``resume`` or ``resend``.
    """
    max_tries = (ti.max_tries or 0) if ti else 0
    cleared = max_tries > (retries or 0)
    return cleared, max_tries if cleared and on_cleared == "resend" else None


def check_on_cleared(on_cleared: object) -> None:
    """
    Refuse another value than those of ``OnCleared``.

    :raises InputError: it is another.
    """
    if on_cleared not in get_args(OnCleared):
        raise InputError("on_cleared", " or ".join(get_args(OnCleared)), repr(on_cleared))
