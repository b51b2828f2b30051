"""``exclude`` is a promise: each value is understood as one person of the kind that is contacted, or is an error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.plan.exclusions import read_exclusions
from airflow_provider_campaigns.delivery.plan.reading import (
    EXCLUDED,
    MAYBE_EXCLUDED,
    NOT_ALLOWED,
    REPEATED,
    REPEATED_PERSON,
    Reading,
)
from airflow_provider_campaigns.delivery.plan.sources import Source, open_source
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.protocol.send import Send
from airflow_provider_campaigns.vendors.collect.dialect import Collect
from airflow_provider_campaigns.vendors.collect.send import SendCollectRequest
from airflow_provider_campaigns.vendors.ozonetel.dialect import Ozonetel
from airflow_provider_campaigns.vendors.ozonetel.send import AddCampaignBulkData, AddCampaignLead
from airflow_provider_campaigns.vendors.xebo.dialect import Xebo
from airflow_provider_campaigns.vendors.xebo.send import TriggerSurvey
from airflow_provider_campaigns.vendors.xtremepush.dialect import Xtremepush
from airflow_provider_campaigns.vendors.xtremepush.send import ExecuteCampaign

_OZONETEL = Ozonetel(user_name="user", api_key="key")
_XEBO = Xebo(email="", password="", api_key="key")
_PUSH = Xtremepush(app_token="token")

LEADS = AddCampaignLead(_OZONETEL, "Spring")
INDIA = AddCampaignLead(_OZONETEL, "Spring", region="IN")
BULK = AddCampaignBulkData(_OZONETEL, "Spring", region="US")
AMERICA = AddCampaignLead(_OZONETEL, "Spring", region="US")
GERMANY = AddCampaignLead(_OZONETEL, "Spring", region="DE")
COLLECT = SendCollectRequest(Collect(api_key="key"), "campaign")
SMS = TriggerSurvey(_XEBO, "collector", medium="sms")
MAIL = TriggerSurvey(_XEBO, "collector", medium="email")
LINKS = TriggerSurvey(_XEBO, "collector")
PUSH = ExecuteCampaign(_PUSH, 1)
PUSH_MAIL = ExecuteCampaign(_PUSH, 1, target_by="email")

LEAD = {"phoneNumber": "+15550100001"}
INDIAN = {"phoneNumber": "+919000000001"}
MAILBOX = {"email": "a@example.com"}


def source(value: Any, folder: Path, name: str) -> Source:
    """Return the source of a list, or of the content of a CSV file."""
    if isinstance(value, (str, bytes)):
        path = folder / f"{name}.csv"
        path.write_bytes(value if isinstance(value, bytes) else value.encode())
        value = path
    return open_source(value, name, plain=name == "exclude")


def ends(reading: Reading, contacts: Source) -> list[str | None]:
    """Return for each row why it is not sent, None when it is."""
    return [contact["reason"] if isinstance(contact, dict) else None for _, contact in reading.entries(contacts.read())]


def reasons(send: Send, contacts: Any, exclude: Any, folder: Path, **options: Any) -> list[str | None]:
    reading = Reading(send, **options)
    excluded = None if exclude is None else read_exclusions(source(exclude, folder, "exclude"), reading)
    return ends(Reading(send, excluded=excluded, **options), source(contacts, folder, "contacts"))


@pytest.mark.parametrize(
    ("send", "contacts", "expected"),
    [
        pytest.param(
            INDIA,
            ["+919000000001", "919000000001", "00919000000001", "09000000001", "9000000001", "+91 90000-00001"],
            [None, *[REPEATED] * 5],
            id="one person in India",
        ),
        pytest.param(LEADS, ["+447700900211", "00447700900211"], [None, REPEATED], id="00 is +"),
        pytest.param(LEADS, ["+447700900211", "447700900211"], [None, REPEATED], id="no +"),
        pytest.param(INDIA, ["+447700900211", "447700900211"], [None, REPEATED], id="no +, of another country"),
        pytest.param(LEADS, ["+919000000001", "09000000001"], [None, None], id="a national form without a region"),
        pytest.param(LEADS, ["+919000000001", "+449000000001"], [None, None], id="other countries"),
        pytest.param(AMERICA, ["15550100001.0", 15550100001.0, 15550100001], [None, REPEATED, REPEATED], id="pandas"),
    ],
)
def test_repeats_of_a_number(send: Send, contacts: list[Any], expected: list[str | None], tmp_path: Path) -> None:
    assert reasons(send, [{"phoneNumber": number} for number in contacts], None, tmp_path) == expected


@pytest.mark.parametrize(
    ("send", "contacts", "expected"),
    [
        pytest.param(
            SMS,
            [{"extUniqueId": "a", "mobile": "+15550100001"}, {"extUniqueId": "b", "mobile": "+1 555 010 0001"}],
            [None, REPEATED_PERSON],
            id="two ids with one number, by SMS",
        ),
        pytest.param(
            MAIL,
            [{"extUniqueId": "a", "email": "a@example.com"}, {"extUniqueId": "b", "email": "<A@example.com>"}],
            [None, REPEATED_PERSON],
            id="two ids with one address, by e-mail",
        ),
        pytest.param(
            LINKS,
            [{"extUniqueId": "a", "mobile": "+15550100001"}, {"extUniqueId": "b", "mobile": "+15550100001"}],
            [None, None],
            id="links are made for ids",
        ),
        pytest.param(
            LINKS, [{"extUniqueId": "15550100001"}, {"mobile": "15550100001"}], [None, None], id="an id is no number"
        ),
        pytest.param(
            COLLECT,
            [{"email": "straße@example.com"}, {"email": "strasse@example.com"}, {"email": "STRAßE@example.com"}],
            [None, None, REPEATED],
            id="case is not spelling",
        ),
        pytest.param(
            COLLECT,
            [
                {"email": "a@example.com"},
                {"email": "a@example.com;"},
                {"email": "<a@example.com>"},
                {"email": "'a@example.com"},
                {"email": "a@exam\u200bple.com"},
                {"email": "Jo <mailto:A@example.com>"},
            ],
            [None, *[REPEATED] * 5],
            id="a spoilt address is no second person",
        ),
        pytest.param(
            PUSH, [{"user_id": "1_000"}, {"user_id": 1000}, {"user_id": "1000"}], [None, None, REPEATED], id="ids"
        ),
    ],
)
def test_repeats(send: Send, contacts: list[Any], expected: list[str | None], tmp_path: Path) -> None:
    assert reasons(send, contacts, None, tmp_path) == expected


@pytest.mark.parametrize(
    ("send", "contact", "exclude"),
    [
        pytest.param(LEADS, LEAD, ["+15550100001"], id="a list of text"),
        pytest.param(LEADS, LEAD, [15550100001], id="a list of numbers"),
        pytest.param(LEADS, LEAD, ["+1 (555) 010-0001"], id="separators"),
        pytest.param(LEADS, LEAD, ["15550100001"], id="no plus"),
        pytest.param(LEADS, LEAD, ["0015550100001"], id="00"),
        pytest.param(LEADS, LEAD, ["tel:+15550100001"], id="tel:"),
        pytest.param(LEADS, LEAD, ["\u202a+15550100001\u202c"], id="direction marks"),
        pytest.param(LEADS, LEAD, ["'+15550100001"], id="a spreadsheet's apostrophe"),
        pytest.param(LEADS, LEAD, ["15550100001.0"], id="a pandas float"),
        pytest.param(LEADS, LEAD, [{"phoneNumber": 15550100001.0}], id="a float"),
        pytest.param(
            LEADS, LEAD, ["+\uff11\uff15\uff15\uff15\uff10\uff11\uff10\uff10\uff10\uff10\uff11"], id="full width"
        ),
        pytest.param(LEADS, LEAD, ["+\u0661\u0665\u0665\u0665\u0660\u0661\u0660\u0660\u0660\u0660\u0661"], id="Arabic"),
        pytest.param(LEADS, LEAD, [{"phoneNumber": "+1 555 010 0001", "since": "2026-01-01"}], id="by the field"),
        pytest.param(
            LEADS, LEAD, [{"Phone Number": "+15550100001", "since": "2026-01-01"}], id="field as people spell it"
        ),
        pytest.param(LEADS, LEAD, [{"opted_out": "+15550100001"}], id="one column only, so a number"),
        pytest.param(LEADS, LEAD, [{"mobile": "15550100001"}], id="one column only, named as numbers are"),
        pytest.param(LEADS, LEAD, "phoneNumber,since\n+1 555 0100001,2026-01-01\n,\n", id="a file"),
        pytest.param(LEADS, LEAD, "number\n+1.555.010.0001\n", id="a file with one column"),
        pytest.param(LEADS, LEAD, "\ufeffphoneNumber\n+15550100001\n", id="a byte order mark"),
        pytest.param(LEADS, {"phoneNumber": "+447700900211"}, ["+44 (0)7700 900211"], id="(0)"),
        pytest.param(INDIA, INDIAN, ["09000000001"], id="a trunk zero"),
        pytest.param(INDIA, INDIAN, [9000000001], id="a national number"),
        pytest.param(INDIA, {"phoneNumber": "09000000001"}, ["+919000000001"], id="a national contact"),
        pytest.param(COLLECT, MAILBOX, ["mailto:a@example.com"], id="mailto:"),
        pytest.param(COLLECT, MAILBOX, ["a@example.com;"], id="a semicolon"),
        pytest.param(COLLECT, MAILBOX, ["<a@example.com>"], id="brackets"),
        pytest.param(COLLECT, MAILBOX, ["Jo <A@Example.com>"], id="a name"),
        pytest.param(COLLECT, MAILBOX, ['"a@example.com",'], id="quotes"),
        pytest.param(COLLECT, MAILBOX, ["a\uff20example.com"], id="a full-width @"),
        pytest.param(COLLECT, MAILBOX, [{"e-mail": "a@example.com"}], id="one column"),
        pytest.param(COLLECT, MAILBOX, "contact\na@example.com\n", id="an address in the column of ids"),
        pytest.param(COLLECT, {"contact": "5f0c"}, ["5F0C"], id="a contact's id, in any case"),
        pytest.param(SMS, {"extUniqueId": "a", "mobile": "+15550100001"}, ["+15550100001"], id="number of an id"),
        pytest.param(LINKS, {"extUniqueId": "a", "mobile": "+15550100001"}, ["a"], id="links by id"),
        pytest.param(LINKS, {"extUniqueId": "a", "mobile": "+15550100001"}, ["+15550100001"], id="links by number"),
        pytest.param(LINKS, {"extUniqueId": "a", "email": "a@example.com"}, ["A@example.com"], id="links by e-mail"),
        pytest.param(LINKS, {"extUniqueId": "9000000001"}, ["9000000001"], id="an id like a number"),
        pytest.param(LINKS, {"extUniqueId": "a@example.com"}, ["a@example.com"], id="an id like an address"),
        pytest.param(PUSH, {"user_id": "user-1"}, ["user-1"], id="a user id"),
        pytest.param(PUSH, {"user_id": 1000}, "user_id,why\n1000,asked\n", id="a number as id"),
        pytest.param(PUSH_MAIL, MAILBOX, "email\nA@example.com\n", id="a target by e-mail"),
        pytest.param(INDIA, {"phoneNumber": "447700900211"}, ["+447700900211"], id="a + that a spreadsheet took"),
        pytest.param(INDIA, {"phoneNumber": "+447700900211"}, [447700900211], id="a + that is missing in exclude"),
    ],
)
def test_who_opted_out_is_not_sent_to(send: Send, contact: Mapping[str, Any], exclude: Any, tmp_path: Path) -> None:
    assert reasons(send, [contact], exclude, tmp_path) == [EXCLUDED]


@pytest.mark.parametrize(
    ("send", "contact", "exclude"),
    [
        pytest.param(LEADS, {"phoneNumber": "09000000001"}, ["+919000000001"], id="a trunk zero"),
        pytest.param(LEADS, {"phoneNumber": "9000000001"}, ["+919000000001"], id="no country code"),
        pytest.param(
            LEADS, {"phoneNumber": "+8613800138000"}, ["13800138000"], id="digits of another country's number"
        ),
        pytest.param(GERMANY, {"phoneNumber": "4915112345678"}, ["+4915112345678"], id="a + that may be missing"),
        pytest.param(GERMANY, {"phoneNumber": "+4915112345678"}, ["4915112345678"], id="or in exclude"),
    ],
)
def test_who_may_have_opted_out_is_not_sent_to(
    send: Send, contact: Mapping[str, Any], exclude: Any, tmp_path: Path
) -> None:
    assert reasons(send, [contact, LEAD], exclude, tmp_path) == [MAYBE_EXCLUDED, None]


@pytest.mark.parametrize(
    ("send", "contact", "exclude"),
    [
        pytest.param(LEADS, {**LEAD, "owner": "+15550100009"}, ["+15550100009"], id="the number of an owner"),
        pytest.param(SMS, {"mobile": "+15550100001", "owner_mobile": "+15550100009"}, ["+15550100009"], id="by SMS"),
        pytest.param(
            COLLECT, {**MAILBOX, "owner_email": "boss@example.com"}, ["boss@example.com"], id="an owner's e-mail"
        ),
        pytest.param(PUSH, {"user_id": "1", "ref": "2"}, ["2"], id="another id"),
        pytest.param(COLLECT, MAILBOX, [], id="nobody"),
        pytest.param(COLLECT, MAILBOX, "email\n", id="nobody in a file"),
        pytest.param(COLLECT, {"email": "straße@example.com"}, ["strasse@example.com"], id="another person"),
    ],
)
def test_who_did_not_opt_out_is_sent_to(send: Send, contact: Mapping[str, Any], exclude: Any, tmp_path: Path) -> None:
    assert reasons(send, [contact], exclude, tmp_path) == [None]


@pytest.mark.parametrize("blank", ["\u00a0", "\u202f", "\u2009", "\u200b", "-", "."])
def test_a_number_that_is_refused_is_not_shown(blank: str, tmp_path: Path) -> None:
    number = blank.join(["06", "12", "34", "56", "78"])
    for value in (number, f"{number} or {number}", {"phoneNumber": number}):
        with pytest.raises(InputError) as caught:
            reasons(LEADS, [LEAD], [value], tmp_path)
        assert "34" not in str(caught.value)


COUNTRY = "expected phone numbers with \\+ and country code, or region"


@pytest.mark.parametrize(
    ("send", "exclude", "message"),
    [
        # National forms.
        pytest.param(LEADS, ["+15550100001", "09000000001"], f"{COUNTRY}.* got row 2", id="a trunk zero"),
        pytest.param(LEADS, ["5550100001"], f"{COUNTRY}.* got row 1", id="no country code"),
        pytest.param(LEADS, ["123"], f"{COUNTRY}.* got row 1", id="a short number"),
        pytest.param(INDIA, ["12"], "expected one phone number, got row 1", id="none that could be rung"),
        # Files without a header.
        pytest.param(LEADS, "+1 555 010 0001\n+15550100002\n", "expected a header", id="a number with blanks"),
        pytest.param(LEADS, "+15550100001\n", "expected a header", id="a number"),
        pytest.param(LEADS, "+1 555 010 0001,Jo\n+15550100002,Al\n", "expected a header", id="a number and a name"),
        pytest.param(COLLECT, "Jo <a@example.com>\nb@example.com\n", "expected a header", id="a name with an address"),
        pytest.param(COLLECT, "a@example.com;asked\nb@example.com;\n", "expected a header", id="header;less"),
        pytest.param(PUSH, "real-customer-1\nreal-customer-2\n", "a column 'user_id', got columns", id="a user id"),
        pytest.param(PUSH, "real-customer-1\n", "a column 'user_id', got columns", id="only a user id"),
        pytest.param(LEADS, "5550100001\n5550100002\n", "expected a header", id="a national number"),
        # Other separators, other encodings.
        pytest.param(
            COLLECT,
            "email!reason\na@example.com!asked\n",
            "a column .* got row 1: .* in the column 'email!reason'",
            id="marks",
        ),
        pytest.param(
            LEADS, "phoneNumber\n+15550100001\n".encode("utf-16-le"), "as in UTF-16", id="UTF-16 little endian"
        ),
        pytest.param(COLLECT, "email\na@example.com\n".encode("utf-16-be"), "as in UTF-16", id="UTF-16 big endian"),
        # Other columns.
        pytest.param(LEADS, "customer_id\n9000000001\n", "a column 'phoneNumber', got row 1", id="another name"),
        pytest.param(
            LEADS, [{"tel": "+15550100001", "since": 1}], "got row 1 with 'tel', 'since'", id="none that fits"
        ),
        pytest.param(PUSH, [{"email": "a@example.com"}], "a column 'user_id', got row 1 with 'email'", id="another id"),
        pytest.param(SMS, [{"email": "a@example.com", "mobile": ""}], "in 'mobile', got row 1", id="a blank number"),
        pytest.param(
            LEADS, "phoneNumber,why\n+15550100001,\n,asked\n", "in 'phoneNumber', got row 2", id="a blank field"
        ),
        pytest.param(PUSH_MAIL, ["+15550100001"], "one e-mail address, got row 1", id="a number for an e-mail"),
        pytest.param(SMS, ["a@example.com"], "one phone number, got row 1", id="an address for a number"),
        # Values that are no one person.
        pytest.param(LEADS, ["+15550100001, +15550100002"], "one phone number, got row 1", id="two numbers"),
        pytest.param(LEADS, ["+15550100001 / +15550100002"], "one phone number, got row 1", id="two numbers, a slash"),
        pytest.param(COLLECT, ["a@example.com, b@example.com"], "one e-mail address, got row 1", id="two addresses"),
        pytest.param(COLLECT, ["a@example.com;asked"], "one e-mail address, got row 1", id="an address with a reason"),
        pytest.param(LEADS, "phoneNumber\n1.5550100001E+10\n", "all digits, as text.*got row 1", id="an exponent"),
        pytest.param(LEADS, [15550100001.5], "rows that can be read", id="a fraction in a list"),
        pytest.param(LEADS, [{"phoneNumber": ["+15550100001"]}], "one phone number, got row 1", id="a list"),
        pytest.param(LEADS, [True], "one phone number, got row 1: True", id="a boolean"),
        pytest.param(PUSH, ["user-1", "cut \ud83d"], "lone surrogates, got row 2", id="a lone surrogate"),
        pytest.param(PUSH, ["us\0er"], "NUL characters .*, got row 1", id="a NUL character"),
        # Rows that cannot be read.
        pytest.param(LEADS, [None], "rows that can be read, got row 1: expected an object", id="an odd item"),
        pytest.param(LEADS, "phoneNumber,since\n1,2,3\n", "row 1: 3 values for 2 columns", id="a broken row"),
        pytest.param(LEADS, "", "an empty file", id="an empty file"),
        pytest.param(
            LEADS,
            [{"phoneNumber": "+15550100001", "PhoneNumber": "+15550100002"}],
            "columns: expected one column for 'phoneNumber', got 'phoneNumber' and 'PhoneNumber'",
            id="a field twice",
        ),
    ],
)
def test_a_value_that_is_not_understood_stops_everything(
    send: Send, exclude: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        reasons(send, [], exclude, tmp_path)

    assert not any(number in str(caught.value) for number in ("5550100001", "9000000001", "a@example.com"))


def test_columns_name_the_fields_of_exclude_too(tmp_path: Path) -> None:
    columns = {"phoneNumber": "mobile"}
    contacts = [{"mobile": "+15550100001"}, {"mobile": "+15550100002"}, {"mobile": "+15550100003"}]

    for exclude in ([{"mobile": "+15550100002", "why": "x"}], [{"phoneNumber": "+15550100002", "why": "x"}]):
        assert reasons(LEADS, contacts, exclude, tmp_path, columns=columns) == [None, EXCLUDED, None]


@pytest.mark.parametrize(
    ("send", "patterns", "contact", "expected"),
    [
        (PUSH, ["*@example.com"], {"user_id": "real-customer-1", "email": "dev@example.com"}, NOT_ALLOWED),
        (PUSH, ["dev-*"], {"user_id": "dev-1", "email": "real@customer.example"}, None),
        (SMS, ["*@example.com"], {"extUniqueId": "a", "mobile": "+15550100001", "email": "a@example.com"}, NOT_ALLOWED),
        (SMS, ["+1555*"], {"extUniqueId": "a", "mobile": "+15550100001", "email": "real@customer.example"}, None),
        (MAIL, ["*@example.com"], {"extUniqueId": "a", "email": "A@Example.com"}, None),
        (COLLECT, ["*@example.com"], {"email": "a@example.com", "owner_email": "boss@corp.example"}, None),
        (COLLECT, ["*@example.com"], {"contact": "5f0c"}, NOT_ALLOWED),
        (LEADS, ["+1555*"], {"phoneNumber": "+15550100001", "owner": "+447700900000"}, None),
        (AMERICA, ["+1555*"], {"phoneNumber": "5550100001"}, None),
        (LEADS, ["+1555*"], {"phoneNumber": "5550100001"}, NOT_ALLOWED),
        (LINKS, ["*@example.com"], {"extUniqueId": "a", "email": "a@example.com"}, None),
        (LINKS, ["*@example.com"], {"extUniqueId": "a"}, NOT_ALLOWED),
    ],
)
def test_it_is_the_recipient_that_must_fit_only_recipients(
    send: Send, patterns: list[str], contact: Mapping[str, Any], expected: str | None, tmp_path: Path
) -> None:
    assert reasons(send, [contact], None, tmp_path, only_recipients=patterns) == [expected]


@pytest.mark.parametrize(
    ("send", "contact", "key", "cleaned"),
    [
        (LEADS, {"phoneNumber": " +1 555-010-0001 "}, "+15550100001", True),
        (INDIA, {"phoneNumber": "09000000001"}, "09000000001", False),
        (LEADS, {"phoneNumber": 15550100001}, "15550100001", False),
        (LEADS, {"phoneNumber": 15550100001.0}, "15550100001", True),
        (COLLECT, {"email": "<Jo@example.com>"}, "Jo@example.com", True),
        (COLLECT, {"email": "Jo@example.com"}, "Jo@example.com", False),
        (COLLECT, {"contact": " 5f0c "}, "5f0c", True),
        (SMS, {"extUniqueId": "a", "mobile": "+1 5550100001"}, "a", True),
        (PUSH, {"user_id": 1000}, "1000", False),
    ],
)
def test_what_is_sent_keeps_the_form_of_the_source(
    send: Send, contact: Mapping[str, Any], key: str, cleaned: bool
) -> None:
    reading = Reading(send)

    ((_, sent),) = reading.entries(open_source([contact]).read())

    assert not isinstance(sent, dict)
    assert (sent.key, reading.tally.normalised) == (key, int(cleaned))


@pytest.mark.parametrize("send", [LEADS, BULK])
@pytest.mark.parametrize(
    ("row", "sent"),
    [
        ({"PhoneNumber": "+15550100001", "name": "Jo"}, {"phoneNumber": "+15550100001", "Name": "Jo"}),
        ({"phone number": "+15550100001", "PRIORITY": "5"}, {"phoneNumber": "+15550100001", "priority": "5"}),
        (
            {"phone_number": "+15550100001", "ExpiryDate": "2026-12-31"},
            {"phoneNumber": "+15550100001", "expiryDate": "2026-12-31"},
        ),
        ({"phoneNumber": "+15550100001", "City": "Pune"}, {"phoneNumber": "+15550100001", "City": "Pune"}),
    ],
)
def test_a_column_that_is_a_field_of_the_vendors_but_for_its_spelling_is_that_field(
    send: Send, row: dict[str, str], sent: dict[str, str]
) -> None:
    reading = Reading(send)
    rows = open_source([row])

    ((_, contact),) = reading.entries(rows.rows_with(reading.required(), reading.names))

    assert not isinstance(contact, dict)
    assert contact.body == sent
