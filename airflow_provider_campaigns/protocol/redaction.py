"""Hides credentials in what a conversation returns: one place for every vendor's texts, whoever stores or logs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from airflow_provider_campaigns.exceptions import LONGEST_MESSAGE
from airflow_provider_campaigns.masking import Redactor, one_line
from airflow_provider_campaigns.protocol.messages import T
from airflow_provider_campaigns.protocol.polling import PollResult
from airflow_provider_campaigns.protocol.send import ContactReply


def redacted(result: T, redact: Redactor) -> T:
    """
    Return a conversation's result with every credential hidden.

    In replies to contacts and results of polls, which are stored and logged, control characters are escaped, too, and
    a message is cut that would fill the outcomes. A vendor's data (a list of campaigns, responses to a survey) keeps
    them.

    :param redact: hides credentials in a text.
    """
    return cast("T", _redacted(result, redact))


def _redacted(value: Any, redact: Redactor) -> Any:  # noqa: PLR0911 - one for each type
    match value:
        case str():
            return redact(value)
        case ContactReply():
            return _reply(value, redact)
        case PollResult():
            return replace(
                value,
                status=one_line(redact(value.status)),
                details=_redacted(value.details, redact),
                unknown=[one_line(redact(word)) for word in value.unknown],
            )
        case Mapping():
            return {_redacted(name, redact): _redacted(item, redact) for name, item in value.items()}
        case list():
            return [_redacted(item, redact) for item in value]
        case tuple():
            return tuple(_redacted(item, redact) for item in value)
        case _:
            return value


def _reply(reply: ContactReply, redact: Redactor) -> ContactReply:
    def text(value: str | None) -> str | None:
        return value and one_line(redact(value, longest=LONGEST_MESSAGE))

    return replace(
        reply,
        reason=text(reply.reason),
        vendor_id=text(reply.vendor_id),
        url=reply.url and one_line(redact(reply.url)),
        message=_lines(reply.message, redact) if reply.status == "accepted" else text(reply.message),
    )


def _lines(message: str | None, redact: Redactor) -> str | None:
    """Return the message of an accepted contact whole: with a survey's link it is the very text to deliver."""
    return message and "\n".join(map(one_line, redact(message).split("\n")))
