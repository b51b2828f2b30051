"""
Hides credentials in what a conversation returns, and cuts what is too long to be stored: one place for every vendor's
texts, whoever stores or logs them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from airflow_provider_campaigns.exceptions import LONGEST_CODE, LONGEST_MESSAGE
from airflow_provider_campaigns.masking import Redactor, one_line
from airflow_provider_campaigns.protocol.messages import T
from airflow_provider_campaigns.protocol.polling import PollResult
from airflow_provider_campaigns.protocol.send import ContactReply

# Characters of what an accepted contact gets, such as the text with a survey's link; the reply to a call may have one
# text for hundreds of contacts.
LONGEST_TEXT = 10_000
# Characters of a fact that a poll found, as JSON: it ends in an XCom.
LONGEST_DETAIL = 20_000
LEFT_OUT = "left out: {:,} characters"


def redacted(result: T, redact: Redactor) -> T:
    """
    Return a conversation's result with every credential hidden.

    In replies to contacts and results of polls, which are stored and logged, control characters are escaped, too. A
    vendor's data (a list of campaigns, responses to a survey) keeps them.

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
        url=reply.url and one_line(redact(reply.url, longest=LONGEST_TEXT)),
        message=_lines(reply.message, redact) if reply.status == "accepted" else text(reply.message),
    )


def _lines(message: str | None, redact: Redactor) -> str | None:
    """Return the message of an accepted contact with its lines: with a survey's link it is the very text to deliver."""
    return message and "\n".join(map(one_line, redact(message, longest=LONGEST_TEXT).split("\n")))


def bounded(result: T) -> T:
    """Return a conversation's result without texts that would fill outcomes, XComs and logs."""
    return cast("T", _bounded(result))


def _bounded(value: Any) -> Any:
    match value:
        case ContactReply():
            return _bounded_reply(value)
        case PollResult():
            return replace(
                value,
                status=value.status[:LONGEST_MESSAGE],
                details={name: _bounded_detail(item) for name, item in value.details.items()},
                unknown={word[:LONGEST_CODE] for word in value.unknown} if value.unknown else value.unknown,
            )
        case list() | tuple() if value and isinstance(value[0], ContactReply):
            return [*map(_bounded_reply, value)]
        case _:
            return value


def _bounded_reply(reply: ContactReply) -> ContactReply:
    length = len(reply.reason or "") + len(reply.vendor_id or "") + len(reply.url or "") + len(reply.message or "")
    if length <= LONGEST_MESSAGE:
        # Nearly all replies.
        return reply
    longest = LONGEST_TEXT if reply.status == "accepted" else LONGEST_MESSAGE
    limits = {"reason": LONGEST_MESSAGE, "vendor_id": LONGEST_MESSAGE, "url": LONGEST_TEXT, "message": longest}
    cut: dict[str, Any] = {
        name: text[:most] for name, most in limits.items() if (text := getattr(reply, name)) and len(text) > most
    }
    return replace(reply, **cut) if cut else reply


def _bounded_detail(value: Any) -> Any:
    length = len(json.dumps(value, default=str))
    return value if length <= LONGEST_DETAIL else LEFT_OUT.format(length)
