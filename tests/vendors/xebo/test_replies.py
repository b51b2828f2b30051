"""Every reply that Xebo's pages show, and malformed ones: how the call and each contact end."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorError,
)
from airflow_provider_campaigns.protocol.send import ContactReply
from airflow_provider_campaigns.vendors.xebo.replies import CONTRADICTED, NO_LINK, read_reply
from airflow_provider_campaigns.vendors.xebo.send import TriggerSurvey
from tests.vendors.conversations import Script, drive
from tests.vendors.malformed import damaged
from tests.vendors.xebo.samples import COLLECTOR, KEY, LINKS, SAMPLES, contacts, links_reply, statuses


def ends(replies: Any) -> list[tuple[str, str | None]]:
    return [(reply.status, reply.reason) for reply in replies]


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

    @pytest.mark.parametrize("code", [500, "500"])
    def test_a_v3_error_carries_its_code(self, code: int | str) -> None:
        body = {"success": False, "code": code, "status": "", "error": "SERVER_ERROR", "message": "sorry"}
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

    @pytest.mark.parametrize(
        ("accepted", "rejected", "data", "expected"),
        [
            ("2", "0", [], ["accepted", "accepted"]),
            (2, "0", [], ["accepted", "accepted"]),
            ("1", "1", ["1", "2"], ["unknown", "unknown"]),
            ("0", "2", [], ["rejected", "rejected"]),
            ("two", "none", [], ["unknown", "unknown"]),
            ("1" * 5_000, "0", [], ["unknown", "unknown"]),
        ],
    )
    def test_counts_may_be_text(self, accepted: object, rejected: object, data: list[str], expected: list[str]) -> None:
        reply = {
            "data": [{"extUniqueId": name} for name in data],
            "rejected_list": [],
            "accepted": accepted,
            "rejected": rejected,
        }
        assert statuses(read_reply(contacts("1", "2"), reply, links=False)) == expected

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
        ("rejected", "status"), [(1, "rejected"), (2, "unknown"), (0, "unknown"), ("1", "rejected"), ("one", "unknown")]
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
