"""Xebo, from the vendor's pages: requests as they show them, and every reply they show with its outcome."""

from __future__ import annotations

import logging
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    InvalidContactError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.messages import Keep, NoReplyError, Response, SignIn
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from airflow_provider_campaigns.vendors.xebo.dialect import Xebo
from airflow_provider_campaigns.vendors.xebo.replies import CONTRADICTED, NO_LINK, read_reply
from airflow_provider_campaigns.vendors.xebo.send import TriggerSurvey
from tests.vendors.conversations import Script, drive
from tests.vendors.malformed import WRONG, damaged, page

SAMPLES = page("xebo")
COLLECTOR = "66c70e71f57bd9efe12d691d"
LINKS_PATH = f"/v2/api/collectors/{COLLECTOR}/campaigns/external"
LOGIN = Xebo(email="jo@example.com", password="s3cret")
KEY = Xebo(api_key="a-key")
LINKS = TriggerSurvey(KEY, COLLECTOR, "J/d5730267")


def contacts(*ids: str, send: TriggerSurvey = LINKS) -> list[Contact]:
    return [send.contact({"extUniqueId": name}) for name in ids]


def links_reply(data: Any = (), rejected_list: Any = (), **counts: Any) -> dict[str, Any]:
    listed = [{"extUniqueId": name, "message": f"Go to https://s2ccx.com/{name}"} for name in data]
    return {"msg": "Request data is correct", "data": listed, "rejected_list": list(rejected_list), **counts}


def ends(replies: Any) -> list[tuple[str, str | None]]:
    return [(reply.status, reply.reason) for reply in replies]


def statuses(replies: Any) -> list[str]:
    return [reply.status for reply in replies]


class TestCredentials:
    def test_they_are_an_api_key_or_email_and_password(self) -> None:
        with pytest.raises(InputError, match="login \\(e-mail\\) and password, or api_key"):
            Xebo(email="jo@example.com")

    @pytest.mark.parametrize("path", ["v2/{collector_id}", "/v2/api/collectors/1/campaigns"])
    def test_a_send_path_needs_the_collectors_place(self, path: str) -> None:
        with pytest.raises(InputError, match="send_path"):
            Xebo(api_key="a-key", send_path=path)

    def test_they_are_never_shown(self) -> None:
        assert "s3cret" not in repr(LOGIN)
        assert "jo@example.com" not in repr(LOGIN)
        assert "a-key" not in repr(KEY)
        assert "J/d5730267" not in repr(LINKS)

    def test_an_error_that_repeats_them_is_masked(self) -> None:
        with pytest.raises(CallRefusedError) as caught:
            drive(LINKS.request(contacts("1")), (403, {"message": "the key a-key is not allowed"}))
        assert "a-key" not in str(caught.value)


class TestSigningIn:
    def test_the_login_goes_to_its_own_host_and_keeps_the_token_until_it_ends(self) -> None:
        script = Script([(200, SAMPLES["login_reply"])])
        assert script.play(LOGIN.sign_in("")) == "an-access-token"
        (request,) = script.requests
        assert (request.method, request.path) == ("POST", "https://api.xebo.ai/api/v1/oauth/token")
        assert request.json == {"email": "jo@example.com", "password": "s3cret"}
        assert not request.headers
        assert script.kept == [Keep("an-access-token", 1720688073)]

    def test_another_login_host_may_end_in_a_slash(self) -> None:
        dialect = Xebo(email="jo@example.com", password="s3cret", login_url="https://login.example.com/")
        _, (request,) = drive(dialect.sign_in(""), (200, SAMPLES["login_reply"]))
        assert request.path == "https://login.example.com/api/v1/oauth/token"

    def test_a_stored_token_serves(self) -> None:
        assert drive(LOGIN.sign_in(""), stored="stored") == ("stored", [])

    def test_a_stale_one_does_not(self) -> None:
        token, _ = drive(LOGIN.sign_in("stored"), (200, SAMPLES["login_reply"]), stored="stored")
        assert token == "an-access-token"

    @pytest.mark.parametrize(
        ("times", "ends_at"),
        [
            ({"created_at": 1720601673, "expires_in": 86400}, 1720688073),
            ({"created_at": 1720601673000, "expires_in": 86400}, 1720688073),
            ({"expires_at": 1720688073000}, 1720688073),
        ],
    )
    def test_the_older_logins_are_read(self, times: dict[str, int], ends_at: float) -> None:
        for body in ({"access_token": "old", **times}, {"data": {"access_token": "old", **times}}):
            script = Script([(200, body)])
            assert script.play(LOGIN.sign_in("")) == "old"
            assert script.kept == [Keep("old", ends_at)]

    @pytest.mark.parametrize("wrong", [value for value in WRONG if value != -1])
    def test_a_token_of_unknown_life_is_kept_for_a_day(self, wrong: Any) -> None:
        script = Script([(200, {"access_token": "t", "expires_at": wrong, "created_at": wrong, "expires_in": wrong})])
        script.play(LOGIN.sign_in(""))
        expected = 1.5 if wrong == 1.5 else time.time() + 24 * 3600
        assert script.kept[0].expires_at == pytest.approx(expected, abs=60)

    @pytest.mark.parametrize(
        ("status", "body", "words"),
        [
            (401, SAMPLES["login_refused"], "Incorrect email or password"),
            (200, SAMPLES["login_refused"], "Incorrect email or password"),
            (400, SAMPLES["login_incomplete"], "Invalid input. password: This field is required."),
            (404, {"error": {"name": "Not Found", "message": "User not found"}}, "User not found"),
        ],
    )
    def test_a_refused_login_says_what_to_check(self, status: int, body: Any, words: str) -> None:
        with pytest.raises(CallRefusedError) as caught:
            drive(LOGIN.sign_in(""), (status, body))
        assert words in str(caught.value)
        assert "check the connection's login, password and login_url" in str(caught.value)

    def test_a_login_without_a_token_says_so(self) -> None:
        with pytest.raises(CallRefusedError, match="no access_token; check login_url"):
            drive(LOGIN.sign_in(""), (200, {"hello": "world"}))

    def test_a_login_that_fails_is_tried_again(self) -> None:
        assert drive(LOGIN.sign_in(""), (500, {}), (200, SAMPLES["login_reply"]))[0] == "an-access-token"

    def test_a_token_no_longer_taken_is_replaced_once(self) -> None:
        script = Script([(401, SAMPLES["unauthorized"]), (200, links_reply("1"))], token="new")
        (reply,) = script.play(TriggerSurvey(LOGIN, COLLECTOR).request(contacts("1")))
        assert script.sign_ins == [SignIn(), SignIn(stale="new")]
        assert reply.status == "accepted"


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


class TestRefusals:
    @pytest.mark.parametrize("status", [400, 404, 200])
    def test_an_unknown_collector_ends_the_call(self, status: int) -> None:
        with pytest.raises(CallRefusedError, match="Collector not found"):
            drive(LINKS.request(contacts("1")), (status, SAMPLES["collector_not_found"]))

    def test_an_invalid_medium_ends_the_call(self) -> None:
        body = {"error": {"name": "Bad Request", "message": "Invalid medium"}}
        with pytest.raises(CallRefusedError, match="Invalid medium"):
            drive(LINKS.request(contacts("1")), (400, body))

    @pytest.mark.parametrize("status", [401, 400, 200])
    def test_no_authorization_ends_the_call(self, status: int) -> None:
        with pytest.raises(CallRefusedError, match="The authorization token was not provided") as caught:
            drive(LINKS.request(contacts("1")), (status, SAMPLES["unauthorized"]))
        assert caught.value.code == "Unauthorized"

    @pytest.mark.parametrize("status", [500, 400, 200])
    def test_a_server_error_makes_a_send_unknown(self, status: int) -> None:
        send = TriggerSurvey(KEY, COLLECTOR, medium="sms")
        with pytest.raises(OutcomeUnknownError, match="We were not able to process your request"):
            drive(send.request([send.contact({"mobile": "+447700900123"})]), (status, SAMPLES["server_error"]))

    @pytest.mark.parametrize(
        "body",
        [
            {"error": {"name": "Bad Request", "message": "contacts must be an array"}},
            {"error": {"message": "contacts must be an array"}},
            {"success": False, "code": 400, "error": "invalid", "message": "contacts must be an array"},
            {"success": False, "message": "contacts must be an array"},
        ],
    )
    @pytest.mark.parametrize("status", [400, 200])
    def test_anything_else_refuses_the_batch(self, body: Any, status: int) -> None:
        with pytest.raises(RequestRejectedError, match="contacts must be an array"):
            drive(LINKS.request(contacts("1")), (status, body))

    def test_a_v3_error_carries_its_code(self) -> None:
        body = {"success": False, "code": 500, "status": "", "error": "SERVER_ERROR", "message": "sorry"}
        send = TriggerSurvey(KEY, COLLECTOR, medium="sms")
        with pytest.raises(OutcomeUnknownError) as caught:
            drive(send.request([send.contact({"mobile": "+447700900123"})]), (200, body))
        assert caught.value.code == "SERVER_ERROR"


class TestReplies:
    def test_the_reply_on_the_page_accepts_both_and_holds_their_links(self) -> None:
        replies, _ = drive(LINKS.request(contacts("123", "124")), (200, SAMPLES["links_reply"]))
        assert ends(replies) == [("accepted", None)] * 2
        assert [reply.url for reply in replies] == ["https://s2ccx.com/7gtdu4U", "https://s2ccx.com/txsXRkF"]
        assert [reply.message for reply in replies] == [item["message"] for item in SAMPLES["links_reply"]["data"]]

    def test_replies_come_in_the_order_of_the_contacts(self) -> None:
        replies = read_reply(contacts("1", "2"), links_reply(["2", "1"]), links=True)
        assert [reply.url for reply in replies] == ["https://s2ccx.com/1", "https://s2ccx.com/2"]

    @pytest.mark.parametrize("text", ["see https://s2ccx.com/x.", "(https://s2ccx.com/x)", "<https://s2ccx.com/x>, go"])
    def test_a_link_ends_where_the_sentence_continues(self, text: str) -> None:
        reply = {"data": [{"extUniqueId": "1", "message": text}]}
        assert read_reply(contacts("1"), reply, links=True)[0].url == "https://s2ccx.com/x"

    def test_a_number_in_the_reply_is_the_text_that_was_sent(self) -> None:
        reply = {"data": [{"extUniqueId": 1, "message": "https://s2ccx.com/1"}]}
        assert statuses(read_reply(contacts("1"), reply, links=True)) == ["accepted"]

    def test_a_contact_without_an_id_is_found_by_its_address(self) -> None:
        batch = [LINKS.contact({"email": "Jo@example.com"}), LINKS.contact({"mobile": "+447700900123"})]
        data = [
            {"mobile": "+447700900123", "message": "https://s2ccx.com/2"},
            {"extUniqueId": "given-by-xebo", "email": "jo@example.com", "message": "https://s2ccx.com/1"},
        ]
        replies = read_reply(batch, {"data": data}, links=True)
        assert [reply.url for reply in replies] == ["https://s2ccx.com/1", "https://s2ccx.com/2"]

    def test_an_address_that_two_share_does_not_mix_up_their_ids(self) -> None:
        batch = [LINKS.contact({"extUniqueId": name, "email": "home@example.com"}) for name in ("1", "2")]
        item = {"extUniqueId": "2", "email": "home@example.com", "message": "https://s2ccx.com/2"}
        assert statuses(read_reply(batch, {"data": [item]}, links=True)) == ["unknown", "accepted"]

    @pytest.mark.parametrize(
        ("row", "item"),
        [
            ({"email": "Jo@example.com"}, {"extUniqueId": "Jo@example.com"}),
            ({"email": "Jo@example.com"}, {"extUniqueId": "jo@example.com"}),
            ({"email": "Jo@example.com"}, {"extUniqueId": "given-by-xebo", "email": "jo@example.com"}),
            ({"email": "Jo@example.com", "mobile": "+447700900123"}, {"mobile": "+447700900123"}),
            ({"mobile": "+447700900123"}, {"extUniqueId": "+447700900123"}),
            ({"mobile": "+447700900123"}, {"mobile": "+447700900123"}),
            ({"extUniqueId": "C-1", "email": "jo@example.com"}, {"email": "jo@example.com"}),
        ],
    )
    def test_links_of_rows_without_an_id_are_found(self, row: dict[str, str], item: dict[str, str]) -> None:
        batch = [LINKS.contact(row), *contacts("2")]
        reply = {"data": [{**item, "message": "https://s2ccx.com/1"}]}
        assert statuses(read_reply(batch, reply, links=True)) == ["accepted", "unknown"]

    def test_links_are_asked_for_by_the_key_where_a_row_has_no_id(self) -> None:
        rows = ({"email": "jo@example.com", "city": "Pune"}, {"mobile": "+447700900123"}, {"extUniqueId": "C-1"})
        _, (request,) = drive(LINKS.request([LINKS.contact(row) for row in rows]), (200, links_reply()))
        assert request.json["contacts"] == [
            {"extUniqueId": "jo@example.com", "email": "jo@example.com", "city": "Pune"},
            {"extUniqueId": "+447700900123", "mobile": "+447700900123"},
            {"extUniqueId": "C-1"},
        ]

    def test_a_send_needs_no_id(self) -> None:
        send = TriggerSurvey(KEY, COLLECTOR, medium="email")
        assert send.contact({"email": "jo@example.com"}).body == {"email": "jo@example.com"}

    SHARED = "+447700900123"

    @pytest.mark.parametrize(
        ("data", "rejected", "counts", "expected"),
        [
            # By the number that a and b share: neither is decided; c goes by its own item, or by the counts.
            ([], [SHARED], {}, ["unknown", "unknown", "unknown"]),
            ([], [{"mobile": SHARED, "message": "no"}], {}, ["unknown", "unknown", "unknown"]),
            (["c"], [{"mobile": SHARED}], {}, ["unknown", "unknown", "accepted"]),
            ([], [SHARED, SHARED], {"accepted": 1, "rejected": 2}, ["unknown", "unknown", "accepted"]),
            ([], [SHARED], {"accepted": 2, "rejected": 1}, ["unknown", "unknown", "accepted"]),
            ([], [SHARED], {"accepted": 1, "rejected": 2}, ["unknown", "unknown", "rejected"]),
            ([], [SHARED], {"accepted": 3, "rejected": 0}, ["unknown", "unknown", "unknown"]),
            # By the id: it is decided, and the other is not.
            ([], [{"extUniqueId": "a", "mobile": SHARED}], {}, ["rejected", "unknown", "unknown"]),
            (["a"], [SHARED], {}, ["accepted", "unknown", "unknown"]),
            (["a"], ["b"], {}, ["accepted", "rejected", "unknown"]),
        ],
    )
    def test_an_item_that_fits_two_contacts_decides_neither(
        self, data: list[str], rejected: list[Any], counts: dict[str, int], expected: list[str]
    ) -> None:
        send = TriggerSurvey(KEY, COLLECTOR, medium="sms")
        rows = [{"extUniqueId": name, "mobile": self.SHARED} for name in "ab"]
        batch = [send.contact(row) for row in (*rows, {"extUniqueId": "c", "mobile": "+447700900124"})]
        replies = read_reply(batch, links_reply(data, rejected, **counts), links=False)
        assert statuses(replies) == expected

    def test_an_id_that_is_another_contacts_number_fits_both(self) -> None:
        rows = ({"extUniqueId": "15550100001"}, {"extUniqueId": "C-1", "mobile": "15550100001"})
        batch = [LINKS.contact(row) for row in rows]
        assert statuses(read_reply(batch, links_reply([], ["15550100001"]), links=True)) == ["unknown", "unknown"]

    def test_who_is_not_in_the_reply_is_unknown(self) -> None:
        replies = read_reply(contacts("1", "2"), links_reply(["1"], accepted=1, rejected=0), links=True)
        assert ends(replies) == [("accepted", None), ("unknown", "not in the reply")]

    @pytest.mark.parametrize("data", [["1", "1"], ["1"]])
    def test_who_is_there_twice_is_unknown(self, data: list[str]) -> None:
        rejected = [] if len(data) == 2 else ["1"]
        replies = read_reply(contacts("1"), links_reply(data, rejected), links=True)
        assert ends(replies) == [("unknown", "more than once in the reply")]

    def test_a_link_that_is_missing_is_unknown(self) -> None:
        reply = {"data": [{"extUniqueId": "1", "message": "no link today"}], "accepted": 1, "rejected": 0}
        assert read_reply(contacts("1"), reply, links=True) == [
            ContactReply("unknown", reason=NO_LINK, message="no link today")
        ]

    @pytest.mark.parametrize(
        ("item", "message"),
        [
            ("2", None),
            (2, None),
            ({"extUniqueId": "2"}, None),
            ({"extUniqueId": "2", "message": "unsubscribed"}, "unsubscribed"),
            ({"extUniqueId": "2", "reason": "unsubscribed"}, "unsubscribed"),
            ({"email": "jo@example.com", "error": "jo@example.com is unsubscribed"}, "*** is unsubscribed"),
            ({"mobile": "+447700900123", "reason": ["bad", "number"]}, '{"reason": ["bad", "number"]}'),
        ],
    )
    def test_the_rejected_list_may_be_texts_or_objects(self, item: Any, message: str | None) -> None:
        row = {"extUniqueId": "2", "email": "jo@example.com", "mobile": "+447700900123"}
        batch = [*contacts("1"), LINKS.contact(row)]
        replies = read_reply(batch, links_reply(["1"], [item], accepted=1, rejected=1), links=True)
        assert statuses(replies) == ["accepted", "rejected"]
        assert replies[1] == ContactReply("rejected", reason="refused by the vendor", message=message)

    @pytest.mark.parametrize(
        ("rejected", "status"), [(1, "rejected"), (2, "unknown"), (0, "unknown"), ("1", "unknown")]
    )
    def test_who_is_missing_is_rejected_when_the_count_says_exactly_so(self, rejected: Any, status: str) -> None:
        reply = links_reply(["1"], [{"row": 7}], accepted=1, rejected=rejected)
        assert statuses(read_reply(contacts("1", "2"), reply, links=True)) == ["accepted", status]

    def test_everybody_may_be_rejected_by_count_alone(self) -> None:
        reply = {"accepted": 0, "rejected": 2}
        assert statuses(read_reply(contacts("1", "2"), reply, links=False)) == ["rejected", "rejected"]

    def test_a_count_that_contradicts_the_list_makes_a_send_unknown_but_not_a_link_in_hand(self) -> None:
        reply = links_reply(["1", "2"], accepted=1, rejected=1)
        assert ends(read_reply(contacts("1", "2"), reply, links=False)) == [("unknown", CONTRADICTED)] * 2
        assert statuses(read_reply(contacts("1", "2"), reply, links=True)) == ["accepted", "accepted"]

    @pytest.mark.parametrize(
        ("reply", "status"),
        [
            ({"accepted": 2, "rejected": 0}, "accepted"),
            ({"accepted": 2}, "unknown"),
            ({"accepted": 1, "rejected": 0}, "unknown"),
            ({"accepted": True, "rejected": False}, "unknown"),
            ({"accepted": 2, "rejected": 0, "data": []}, "accepted"),
            ({"accepted": 2, "rejected": 0, "data": ["somebody"]}, "unknown"),
            ({"accepted": 2, "rejected": 1, "data": []}, "unknown"),
            ({"msg": "Request data is correct"}, "unknown"),
        ],
    )
    def test_a_send_that_lists_nobody_is_believed_when_it_counts_everybody(self, reply: Any, status: str) -> None:
        assert statuses(read_reply(contacts("1", "2"), reply, links=False)) == [status] * 2

    def test_a_send_that_lists_only_the_rejected_is_believed_when_it_counts_the_others(self) -> None:
        reply = {"data": [], "rejected_list": [{"extUniqueId": "2"}], "accepted": 2, "rejected": 1}
        replies = read_reply(contacts("1", "2", "3"), reply, links=False)
        assert statuses(replies) == ["accepted", "rejected", "accepted"]

    def test_links_are_not_accepted_by_count_alone(self) -> None:
        assert statuses(read_reply(contacts("1"), {"accepted": 1, "rejected": 0}, links=True)) == ["unknown"]

    @pytest.mark.parametrize("links", [True, False])
    def test_a_malformed_reply_accepts_nobody_it_does_not_name(self, links: bool) -> None:
        send = LINKS if links else TriggerSurvey(KEY, COLLECTOR, "J/d5730267", "email")
        batch = [send.contact({"extUniqueId": name, "email": f"jo{name}@example.com"}) for name in ("123", "124")]
        for body in damaged(SAMPLES["links_reply"]):
            script = Script([(200, body)] * 8)
            try:
                replies = script.play(send.request(batch))
            except VendorError:
                continue
            named = [item.get("extUniqueId") for item in _items(body)]
            for contact, reply in zip(batch, replies, strict=True):
                counted = not links and isinstance(body, dict) and not body.get("data")
                assert reply.status != "accepted" or contact.key in named or counted, body


def _items(body: Any) -> list[dict[str, Any]]:
    data = body.get("data") if isinstance(body, dict) else None
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


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


class TestResponses:
    SURVEY = SAMPLES["export_request"]["survey_id"]

    def test_the_request_is_as_on_the_page(self) -> None:
        conversation = KEY.responses(
            self.SURVEY,
            collector_ids=SAMPLES["export_request"]["collector_ids"],
            since="2024-08-05",
            until=date(2024, 8, 6),
            response_status=(0, 1, 2),
        )
        number, (request,) = drive(conversation, (200, []))
        assert (request.method, request.path, request.effect) == ("POST", "/api/v1/export/responses/json", "read")
        assert request.json == SAMPLES["export_request"]
        assert request.params == {"page": 1, "page_size": 250}
        assert number == 0

    def test_until_is_tomorrow_by_default(self) -> None:
        _, (request,) = drive(KEY.responses(self.SURVEY, since=datetime(2024, 8, 5, 23, tzinfo=UTC)), (200, []))
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        assert request.json["date_filter"]["operand"] == ["2024-08-05", tomorrow.isoformat()]

    def test_until_alone_is_refused(self) -> None:
        with pytest.raises(InputError, match="since: expected a first day"):
            drive(KEY.responses(self.SURVEY, until="2024-08-05"))

    @pytest.mark.parametrize(
        ("filters", "field"),
        [
            ({"since": "2024-08-05", "until": "2024-08-04"}, "until"),
            ({"since": "2024-08-05", "until": "tomorrow"}, "until"),
            ({"response_status": (3,)}, "response_status"),
            ({"response_status": ()}, "response_status"),
            ({"response_status": ["complete"]}, "response_status"),
        ],
    )
    def test_filters_that_cannot_be_meant_are_refused(self, filters: dict[str, Any], field: str) -> None:
        with pytest.raises(InputError) as caught:
            drive(KEY.responses(self.SURVEY, **filters))
        assert caught.value.field == field

    def test_pages_are_read_until_one_is_not_full(self) -> None:
        script = Script([(200, [{"id": 1}, {"id": 2}]), (200, [{"id": 3}])])
        assert script.play(KEY.responses(self.SURVEY, page_size=2)) == 3
        assert [request.params["page"] for request in script.requests] == [1, 2]
        assert script.items == [{"id": 1}, {"id": 2}, {"id": 3}]

    def test_a_vendor_that_does_not_turn_the_page_is_not_asked_for_ever(self) -> None:
        script = Script([(200, [1, 2])] * 2)
        with pytest.raises(VendorUnavailableError, match="page 2 of the list has been there before"):
            script.play(KEY.responses(self.SURVEY, page_size=2))
        assert script.items == [1, 2]

    @pytest.mark.parametrize(
        "body",
        [
            [1, 2, 3],
            {"data": [1, 2, 3]},
            {"success": True, "responses": [1, 2, 3]},
            {"result": [1, 2, 3]},
            {"results": [1, 2, 3]},
            {"rows": [1, 2, 3]},
            {"data": {"total": 3, "responses": [1, 2, 3]}},
        ],
    )
    def test_the_list_is_found_wherever_it_may_be(self, body: Any) -> None:
        progress, _ = drive(KEY.count_responses(self.SURVEY, 3), (200, body))
        assert (progress.state, progress.details) == ("done", {"responses": 3})

    @pytest.mark.parametrize("body", [{}, {"data": None}, {"message": "no data"}, {"data": "x"}])
    def test_no_list_is_no_responses_and_is_logged(self, body: Any, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            progress, _ = drive(KEY.count_responses(self.SURVEY, 1), (200, body))
        assert (progress.state, progress.status) == ("running", "0 of 1 responses")
        assert "no list of responses" in caplog.text

    def test_counting_asks_for_complete_responses_only_and_stops_when_there_are_enough(self) -> None:
        pages = [(200, list(range(start, start + 250))) for start in (0, 250)]
        progress, requests = drive(KEY.count_responses(self.SURVEY, 300, ["c"], "2024-08-05"), *pages)
        assert progress.state == "done"
        assert requests[0].json["response_status"] == [1]
        assert requests[0].json["collector_ids"] == ["c"]
        assert requests[0].json["date_filter"]["operand"][0] == "2024-08-05"

    def test_a_day_that_is_none_is_refused(self) -> None:
        with pytest.raises(InputError, match="since: expected a date and time with a time zone"):
            drive(KEY.count_responses(self.SURVEY, 1, since="yesterday"))


class TestCheck:
    def test_with_a_password_it_logs_in_and_keeps_no_token(self) -> None:
        script = Script([(200, SAMPLES["login_reply"])])
        assert script.play(LOGIN.check()) == "Signed in at https://api.xebo.ai"
        assert (script.kept, script.sign_ins) == ([], [])

    @pytest.mark.parametrize(
        "reply",
        [
            (200, []),
            (400, {"success": False, "code": 400, "error": "invalid", "message": "unknown survey"}),
            (404, {"error": {"name": "Not Found", "message": "Survey not found"}}),
        ],
    )
    def test_a_key_is_proved_by_xebos_answer_about_a_survey_that_is_not_there(self, reply: Any) -> None:
        message, (request,) = drive(KEY.check(), reply)
        assert message == "Xebo takes the API key"
        assert request.json["survey_id"] == "00000000-0000-0000-0000-000000000000"
        assert request.params == {"page": 1, "page_size": 1}
        assert request.effect == "read"

    @pytest.mark.parametrize(
        "reply",
        [
            (401, SAMPLES["unauthorized"]),
            (400, SAMPLES["unauthorized"]),
            (403, {"error": {"name": "Forbidden", "message": "no"}}),
            Response(404, b"<html>no such page</html>"),
            Response(308, b""),
        ],
    )
    def test_anything_else_proves_nothing(self, reply: Any) -> None:
        with pytest.raises(CallRefusedError):
            drive(KEY.check(), reply)

    def test_a_vendor_that_is_down_proves_nothing(self) -> None:
        with pytest.raises(VendorUnavailableError):
            Script([(500, SAMPLES["server_error"])] * 8).play(KEY.check())
