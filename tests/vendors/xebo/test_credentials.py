"""Xebo's API key or login: how it signs in, what is kept of a token, and what proves that it works."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError, VendorUnavailableError
from airflow_provider_campaigns.protocol.messages import Keep, Response, SignIn
from airflow_provider_campaigns.vendors.xebo.dialect import Xebo
from airflow_provider_campaigns.vendors.xebo.send import TriggerSurvey
from tests.vendors.conversations import Script, drive
from tests.vendors.malformed import WRONG
from tests.vendors.xebo.samples import COLLECTOR, KEY, LINKS, LOGIN, SAMPLES, contacts, links_reply


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

    @pytest.mark.parametrize("token", [None, "", 7, ["a-token"], "a\ntoken", "x" * 100_000])
    def test_a_login_without_a_token_says_so(self, token: Any) -> None:
        with pytest.raises(CallRefusedError, match="no access_token; check login_url"):
            drive(LOGIN.sign_in(""), (200, {"access_token": token, "hello": "world"}))

    def test_a_login_that_fails_is_tried_again(self) -> None:
        assert drive(LOGIN.sign_in(""), (500, {}), (200, SAMPLES["login_reply"]))[0] == "an-access-token"

    def test_a_token_no_longer_taken_is_replaced_once(self) -> None:
        script = Script([(401, SAMPLES["unauthorized"]), (200, links_reply("1"))], token="new")
        (reply,) = script.play(TriggerSurvey(LOGIN, COLLECTOR).request(contacts("1")))
        assert script.sign_ins == [SignIn(), SignIn(stale="new")]
        assert reply.status == "accepted"


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
