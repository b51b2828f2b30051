"""
What an Exotel campaign is created from, checked before anything is sent: one wrong number fails the whole campaign.

Sources: developer.exotel.com/api/campaigns and /create-campaign; support.exotel.com "How does the Campaigns API work".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_campaigns.exceptions import InputError, InvalidContactError
from airflow_provider_campaigns.identity import Person, UnreadableError, known_region, read_phone, shown
from airflow_provider_campaigns.parameters import parse_datetime, parse_object
from airflow_provider_campaigns.vendors.common.row_model import checked, given
from airflow_provider_campaigns.vendors.exotel.checks import check_name

# "Campaigns": numbers of one campaign and its (static) lists.
MOST_NUMBERS = 5_000
MOST_LISTS = 5
# ITU-T E.164 allows 15 digits; six are the fewest of a subscriber number that a campaign would ring.
NATIONAL_NUMBER = re.compile(r"[0-9]{6,15}")

A_NUMBER = "a phone number: digits with or without + and the country code"


class CallRetries(BaseModel):
    """When a number is rung again ("create-campaign", ``retries``)."""

    model_config = ConfigDict(extra="forbid")

    number_of_retries: int = Field(ge=0, le=3, description="0 to 3")
    interval_mins: int = Field(default=0, ge=1, description="minutes, 1 or more")
    mechanism: Literal["Linear", "Exponential"] = Field(default="Linear", description="Linear or Exponential")
    on_status: list[Literal["busy", "no-answer", "failed"]] = Field(
        default=[], description="a list of busy, no-answer, failed"
    )


def read_number(number: object, region: str | None = None) -> Person:
    """
    Return the person that a phone number rings; its text is what is sent.

    :param region: country (ISO 3166, e.g. ``IN``) of numbers without ``+``; without it these can only be checked
        for 6 to 15 digits, since Exotel reads them in the account's own country.
    :raises InvalidContactError: no possible number.
    """
    try:
        person = read_phone(number, region)
    except UnreadableError as error:
        raise InvalidContactError("number", str(error) or A_NUMBER, shown(number)) from None
    in_the_account = region is None and NATIONAL_NUMBER.fullmatch(person.text)
    if person.form != "known" and not in_the_account and (region or person.form == "national"):
        raise InvalidContactError("number", A_NUMBER, number)
    return person


@dataclass(frozen=True, kw_only=True)
class CreateCampaign:
    """
    One campaign to create.

    :param name: more than 3 characters; unique, it is how a campaign is found again.
    :param caller_id: the ExoPhone that rings.
    :param url: of a call flow, ``http://my.exotel.com/<account sid>/exoml/start_voice/<app id>``; or else
    :param read_via_text: a text read to whoever answers.
    :param numbers: up to 5,000 phone numbers; or else
    :param lists: ids of up to 5 contact lists.
    :param call_retries: ``number_of_retries`` (0 to 3), ``interval_mins``, ``mechanism`` (Linear, Exponential),
        ``on_status`` (busy, no-answer, failed).
    :param send_at: when to start, with a time zone; None starts at once.
    :param end_at: when to end; None: the vendor decides (30 days).
    :param call_duplicate_numbers: ring a number as often as it is in ``numbers``.
    :param throttle: calls per minute, below the account's own limit; sets the mode to custom.
    :param status_callback: URL that is called at the campaign's end; ``call_status_callback``: after each call;
        ``call_schedule_callback``: for each number after its last call.
    :param custom_field: handed to the call flow; a mapping is sent as JSON text.
    :param overrides: further fields of the call, e.g. ``{"campaign_type": "dynamic"}``; they win.
    :param region: country of numbers without ``+``, see ``read_number``.
    """

    name: str
    caller_id: str
    url: str | None = None
    read_via_text: str | None = None
    numbers: Sequence[str | int] = field(default=(), repr=False)
    lists: Sequence[str] = ()
    call_retries: Mapping[str, Any] | None = None
    send_at: datetime | str | None = None
    end_at: datetime | str | None = None
    call_duplicate_numbers: bool = False
    throttle: int | None = None
    status_callback: str | None = None
    call_status_callback: str | None = None
    call_schedule_callback: str | None = None
    custom_field: str | Mapping[str, Any] | None = field(default=None, repr=False)
    overrides: Mapping[str, Any] = field(default_factory=dict, repr=False)
    region: str | None = None

    def body(self) -> dict[str, Any]:
        """
        Return the campaign as the call wants it, in the order of its page.

        :raises InputError: a field cannot be used; it is named.
        """
        check_name(self.name)
        if not self.caller_id:
            raise InputError("caller_id", "an ExoPhone", "nothing")
        overrides = parse_object("overrides", self.overrides)
        body = {
            **self._recipients(),
            "caller_id": self.caller_id,
            **self._content(),
            "name": self.name,
            "call_duplicate_numbers": self.call_duplicate_numbers,
            "retries": self._retries(),
            "schedule": self._schedule(),
            **self._callbacks(),
            **self._pace(),
            "custom_field": self._custom_field(),
        }
        return {name: value for name, value in body.items() if value is not None} | overrides

    def _custom_field(self) -> str | None:
        if isinstance(self.custom_field, str | None):
            return self.custom_field
        try:
            return json.dumps(self.custom_field)
        except (TypeError, ValueError) as error:
            raise InputError("custom_field", "text, or what JSON can hold", error) from None

    def _recipients(self) -> dict[str, list[str]]:
        if bool(self.numbers) == bool(self.lists):
            raise InputError("numbers, lists", "exactly one of them", "both" if self.numbers else "neither")
        if self.lists:
            if isinstance(self.lists, str) or len(self.lists) > MOST_LISTS:
                raise InputError("lists", f"a list of 1 to {MOST_LISTS} list ids", _size(self.lists))
            return {"lists": list(self.lists)}
        if isinstance(self.numbers, str) or len(self.numbers) > MOST_NUMBERS:
            raise InputError("numbers", f"a list of 1 to {MOST_NUMBERS:,} phone numbers", _size(self.numbers))
        region = known_region(self.region)
        return {"from": [read_number(number, region).text for number in self.numbers]}

    def _content(self) -> dict[str, str]:
        if bool(self.url) == bool(self.read_via_text):
            raise InputError("url, read_via_text", "exactly one of them", "both" if self.url else "neither")
        if self.url:
            return {"url": _url("url", self.url)}
        # "Campaigns": a text is read by the flow of this name; with a call flow of one's own none is named.
        return {"flow_type": "greeting", "read_via_text": str(self.read_via_text)}

    def _retries(self) -> dict[str, Any] | None:
        if not self.call_retries:
            return None
        retries = checked(CallRetries, given(parse_object("call_retries", self.call_retries)), InputError)
        if retries["number_of_retries"] and "interval_mins" not in retries:
            raise InputError("call_retries", "interval_mins beside number_of_retries", "none")
        return retries

    def _schedule(self) -> dict[str, str] | None:
        times = {
            name: parse_datetime(name, value)
            for name, value in (("send_at", self.send_at), ("end_at", self.end_at))
            if value
        }
        if len(times) == 2 and times["end_at"] <= times["send_at"]:
            raise InputError("end_at", "a time after send_at", times["end_at"].isoformat())
        return {name: when.isoformat(timespec="seconds") for name, when in times.items()} or None

    def _callbacks(self) -> dict[str, str]:
        names = ("status_callback", "call_status_callback", "call_schedule_callback")
        return {name: _url(name, url) for name in names if (url := getattr(self, name))}

    def _pace(self) -> dict[str, Any]:
        if self.throttle is None:
            return {}
        if isinstance(self.throttle, bool) or not isinstance(self.throttle, int) or self.throttle < 1:
            raise InputError("throttle", "calls per minute, 1 or more", self.throttle)
        return {"mode": "custom", "throttle": self.throttle}


def _url(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.startswith(("https://", "http://")):
        raise InputError(name, "a URL that starts with https:// or http://", value)
    return value


def _size(values: Sequence[Any]) -> str:
    return "one text" if isinstance(values, str) else f"{len(values):,}"
