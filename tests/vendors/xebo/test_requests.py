"""Xebo's requests for links and for sends, as the vendor's pages show them, and the contacts that go into them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError, InvalidContactError, OutcomeUnknownError
from airflow_provider_campaigns.protocol.messages import NoReplyError
from airflow_provider_campaigns.vendors.xebo.dialect import Xebo
from airflow_provider_campaigns.vendors.xebo.send import TriggerSurvey
from tests.vendors.conversations import Script, drive
from tests.vendors.xebo.samples import COLLECTOR, KEY, LINKS, LOGIN, SAMPLES, contacts, links_reply, statuses

LINKS_PATH = f"/v2/api/collectors/{COLLECTOR}/campaigns/external"


class TestLinksRequest:
    def test_it_is_as_on_the_page(self) -> None:
        send = TriggerSurvey(LOGIN, COLLECTOR, "J/d5730267")
        batch = [send.contact(row) for row in SAMPLES["links_request"]["contacts"]]
        _, (request,) = drive(send.request(batch), (200, links_reply()), token="the-token")
        assert (request.method, request.path) == ("POST", LINKS_PATH)
        assert request.headers == {"Authorization": "Bearer the-token"}
        assert request.json == SAMPLES["links_request"]
        assert list(request.json) == ["collectortoken", "contacts"]

    def test_an_api_key_goes_into_its_header(self) -> None:
        _, (request,) = drive(LINKS.request(contacts("1")), (200, links_reply()))
        assert request.headers == {"x-api-key": "a-key"}

    def test_it_may_be_repeated_for_it_contacts_no_one(self) -> None:
        replies, requests = drive(LINKS.request(contacts("1")), NoReplyError("cut"), (200, links_reply("1")))
        assert (statuses(replies), len(requests)) == (["accepted"], 2)
        assert LINKS.safe_to_resend == requests[0].safe_to_resend == "generating links contacts no one"

    def test_an_id_cannot_leave_its_place_in_the_path(self) -> None:
        _, (request,) = drive(TriggerSurvey(KEY, "a/../b?c").request(contacts("1")), (200, {}))
        assert request.path == "/v2/api/collectors/a%2F..%2Fb%3Fc/campaigns/external"

    def test_without_a_token_the_token_is_left_out(self) -> None:
        _, (request,) = drive(TriggerSurvey(KEY, COLLECTOR).request(contacts("1")), (200, {}))
        assert request.json == {"contacts": [{"extUniqueId": "1"}]}


class TestSendRequest:
    def test_it_is_as_on_the_page(self) -> None:
        send = TriggerSurvey(KEY, COLLECTOR, "E/f1a0f500", "email")
        batch = [send.contact(row) for row in SAMPLES["send_request"]["contacts"]]
        _, (request,) = drive(send.request(batch), (200, {}))
        assert (request.method, request.path) == ("POST", f"/v2/api/collectors/{COLLECTOR}/campaigns")
        assert request.json == SAMPLES["send_request"]
        assert list(request.json) == ["collectortoken", "medium", "contacts"]

    @pytest.mark.parametrize(("medium", "number"), [("sms", 1), ("email", 2), ("whatsapp", 3)])
    def test_the_medium_is_a_number(self, medium: Any, number: int) -> None:
        send = TriggerSurvey(KEY, COLLECTOR, "E/f1a0f500", medium)
        batch = [send.contact({"email": "jo@example.com", "mobile": "+447700900123"})]
        _, (request,) = drive(send.request(batch), (200, {}))
        assert request.json["medium"] == number
        assert send.identity == {"collector": COLLECTOR, "medium": medium}

    def test_the_path_and_the_token_follow_the_newest_page_when_asked(self) -> None:
        dialect = Xebo(api_key="a-key", send_path="/v2/api/collectors/{collector_id}/combined/auto")
        send = TriggerSurvey(dialect, COLLECTOR, medium="email")
        _, (request,) = drive(send.request([send.contact({"email": "jo@example.com"})]), (200, {}))
        assert request.path == f"/v2/api/collectors/{COLLECTOR}/combined/auto"
        assert list(request.json) == ["medium", "contacts"]

    def test_it_is_not_repeated_when_its_fate_is_unknown(self) -> None:
        send = TriggerSurvey(KEY, COLLECTOR, medium="email")
        script = Script([NoReplyError("cut")])
        with pytest.raises(OutcomeUnknownError):
            script.play(send.request([send.contact({"email": "jo@example.com"})]))
        assert (len(script.requests), send.safe_to_resend) == (1, "")

    def test_an_unknown_medium_is_refused_at_once(self) -> None:
        with pytest.raises(InputError, match="medium: expected sms, email, whatsapp, or None for links, got fax"):
            TriggerSurvey(KEY, COLLECTOR, medium="fax")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("field", "wrong"),
        [
            ("collector_id", ""),
            ("collector_id", "None"),
            ("collector_id", None),
            ("collector_id", 5),
            ("collector_token", 5),
            ("medium", ["sms"]),
        ],
    )
    def test_what_cannot_be_sent_is_refused_at_once(self, field: str, wrong: Any) -> None:
        with pytest.raises(InputError, match=f"^{field}: expected"):
            TriggerSurvey(**{"dialect": KEY, "collector_id": COLLECTOR, field: wrong})


class TestContacts:
    @pytest.mark.parametrize(
        ("medium", "row", "key"),
        [
            (None, {"extUniqueId": "C-1", "email": "jo@example.com"}, "C-1"),
            (None, {"extUniqueId": 17}, "17"),
            (None, {"email": "Jo@Example.com"}, "Jo@Example.com"),
            (None, {"mobile": "+447700900123", "email": ""}, "+447700900123"),
            ("email", {"extUniqueId": "C-1", "email": "jo@example.com"}, "C-1"),
            ("email", {"email": "jo@example.com", "mobile": "+447700900123"}, "jo@example.com"),
            ("sms", {"email": "jo@example.com", "mobile": 447700900123}, "447700900123"),
            ("whatsapp", {"mobile": "+447700900123"}, "+447700900123"),
        ],
    )
    def test_the_key_is_the_id_else_the_mediums_address(self, medium: Any, row: dict[str, Any], key: str) -> None:
        assert TriggerSurvey(KEY, COLLECTOR, medium=medium).contact(row).key == key

    def test_two_spellings_of_an_email_are_one_person(self) -> None:
        send = TriggerSurvey(KEY, COLLECTOR)
        one, other = (send.contact({"email": email}) for email in ("Jo@Example.com", "jo@example.com"))
        assert one.key == "Jo@Example.com"
        assert one.identity == other.identity == "email:jo@example.com"

    def test_other_columns_go_along_and_empty_ones_do_not(self) -> None:
        contact = LINKS.contact(
            {"extUniqueId": "1", "city": "Delhi", "mobile": "", "born": date(2000, 1, 2), "x": None}
        )
        assert contact.body == {"extUniqueId": "1", "city": "Delhi", "born": "2000-01-02"}

    def test_addresses_are_found_in_every_column(self) -> None:
        row = {
            "extUniqueId": "7",
            "email": "jo@example.com",
            "mobile": "123456",
            "office": "+44 7700 900123",
            "age": 42,
        }
        assert LINKS.contact(row).addresses == ("jo@example.com", "123456", "+44 7700 900123")

    @pytest.mark.parametrize(
        ("medium", "row", "field"),
        [
            (None, {"city": "Delhi"}, "extUniqueId"),
            ("email", {"extUniqueId": "1"}, "email"),
            ("sms", {"extUniqueId": "1", "mobile": " "}, "mobile"),
            ("whatsapp", {"email": "jo@example.com"}, "mobile"),
            (None, {"extUniqueId": "1", "email": "jo at example.com"}, "email"),
            (None, {"extUniqueId": "1", "email": "jo@example.com, al@example.com"}, "email"),
            ("sms", {"mobile": "+44 7700 900123, +44 7700 900124"}, "mobile"),
            ("sms", {"mobile": "+44770090012345678"}, "mobile"),
            ("sms", {"mobile": True}, "mobile"),
            (None, {"extUniqueId": 1.5}, "extUniqueId"),
            (None, {"extUniqueId": "1", "thing": object()}, "row"),
        ],
    )
    def test_a_row_that_cannot_be_sent_says_which_field(self, medium: Any, row: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidContactError) as caught:
            TriggerSurvey(KEY, COLLECTOR, medium=medium).contact(row)
        assert caught.value.field == field

    @pytest.mark.parametrize(
        ("medium", "required"),
        [
            (None, ("extUniqueId", "email", "mobile")),
            ("email", ("email",)),
            ("sms", ("mobile",)),
            ("whatsapp", ("mobile",)),
        ],
    )
    def test_a_source_must_have_one_of_the_names(self, medium: Any, required: tuple[str, ...]) -> None:
        assert TriggerSurvey(KEY, COLLECTOR, medium=medium).required == (required,)

    def test_a_delivery_knows_what_it_is(self) -> None:
        assert (LINKS.vendor, LINKS.campaign, LINKS.batch_limit) == ("xebo", COLLECTOR, 500)
        assert LINKS.requests_per_minute is None
        assert LINKS.identity == {"collector": COLLECTOR, "medium": "links"}
