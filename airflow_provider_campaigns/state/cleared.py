"""What a task that was cleared does: it resumes where its tries stopped, or starts again."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

from airflow_provider_campaigns.exceptions import InputError

OnCleared = Literal["resume", "resend"]


class Clearing(NamedTuple):
    """
    What is known of a task's having been cleared.

    :param cleared: perhaps it was: it may be tried more often than it has retries, which may have been lowered since.
    :param start_again: if it was, earlier tries do not count.
    :param max_tries: how often Airflow lets it be retried: more with each time that it is cleared, and never less.
    """

    cleared: bool
    start_again: bool
    max_tries: int


def clearing(ti: Any, retries: int | None, on_cleared: str) -> Clearing:
    """
    Return what is known of a task's having been cleared.

    :param ti: the task instance, None outside of a task.
    :param retries: of the operator.
    :param on_cleared: ``resume`` or ``resend``.
    """
    max_tries = (ti.max_tries or 0) if ti else 0
    cleared = max_tries > (retries or 0)
    return Clearing(cleared, cleared and on_cleared == "resend", max_tries)


def check_on_cleared(on_cleared: object) -> None:
    """
    Refuse another value than those of ``OnCleared``.

    :raises InputError: it is another.
    """
    if on_cleared not in get_args(OnCleared):
        raise InputError("on_cleared", " or ".join(get_args(OnCleared)), repr(on_cleared))
