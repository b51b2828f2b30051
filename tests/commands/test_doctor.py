"""``doctor`` against the sandbox: what it confirms, and each fault; it never changes anything, nor shows a secret."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_campaigns.commands import examination
from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.protocol import reading
from airflow_provider_campaigns.protocol.messages import Request
from airflow_provider_campaigns.protocol.reading import WriteRefusedError, read_only
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.commands.conftest import Ran, Run
from tests.connections import CREDENTIALS, connect, keep_tokens_in_memory

VENDORS = ("xebo", "collect", "xtremepush", "ozonetel", "exotel")
# What a doctor may ask for, by the sandbox's names of the calls.
READS = {"token", "team", "list_campaigns", "get_status", "login"}


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_tokens_in_memory(monkeypatch)


@pytest.fixture
def check(run: Run, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Return a function that checks a vendor's connection to the sandbox."""

    def check(vendor: str, **changes: Any) -> Ran:
        connect(monkeypatch, sandbox, vendor, **changes)
        return run("doctor", f"{vendor}_default", "-o", "json")

    return check


def results(ran: Ran) -> dict[str, str]:
    """Return the worst result of each check."""
    order = ("ok", "info", "warning", "failed")
    found: dict[str, str] = {}
    for one in ran.json["findings"]:
        found[one["check"]] = max(one["result"], found.get(one["check"], "ok"), key=order.index)
    return found


def texts(ran: Ran, check: str) -> list[str]:
    return [one["text"] for one in ran.json["findings"] if one["check"] == check]


CONFIRMED = {
    "xebo": "the login's reply: current form (expires_at)",
    "collect": "API key as password of HTTP Basic, without a user name: taken",
    "xtremepush": "HTTP status is the code of the body: HTTP 200, code 200",
    "ozonetel": "API Authentication: TOKEN_AUTH",
    "exotel": "API key and token of this region's host: taken",
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_connection_that_works(check: Callable[..., Ran], sandbox: SandboxClient, vendor: str) -> None:
    ran = check(vendor)

    assert (ran.code, ran.json["failed"], ran.json["connections"]) == (0, 0, 1)
    assert {one["result"] for one in ran.json["findings"]} <= {"ok", "info"}
    assert {"fields", "host", "credentials", "limits", "clock", "only_recipients"} <= set(results(ran))
    assert f"confirmed: {CONFIRMED[vendor]}" in texts(ran, "assumption")
    received = sandbox.received(vendor)
    assert received["contacts"] == []
    assert {request["call"] for request in received["requests"]} <= READS
    assert received["requests"]
    assert not any(secret in ran.out for secret in secrets_of(vendor))


def secrets_of(vendor: str) -> set[str]:
    return {str(value) for name, value in CREDENTIALS[vendor].items() if name == "password"}


@pytest.mark.parametrize(
    ("vendor", "name", "facts"),
    [
        ("collect", "account", ["team: Sandbox", "time zone: Etc/UTC", "plan: sandbox"]),
        ("exotel", "account", ["account SID: ", "a list of campaigns: HTTP 207, http_code 207", "campaigns: 0"]),
        ("ozonetel", "account", ["campaignStatus of an unknown campaign: HTTP 200"]),
    ],
)
def test_what_the_account_is_set_to(check: Callable[..., Ran], vendor: str, name: str, facts: list[str]) -> None:
    said = "\n".join(texts(check(vendor), name))
    assert [fact for fact in facts if fact not in said] == []


@pytest.mark.parametrize(
    ("vendor", "settings", "changes", "said"),
    [
        ("exotel", {"http_status": "ok"}, {}, "a list of campaigns: HTTP 200, http_code 207"),
        ("ozonetel", {"auth_mode": "BASIC_AUTH"}, {"extra": {"auth_mode": "basic"}}, "API Authentication: BASIC_AUTH"),
    ],
)
def test_other_accounts(
    check: Callable[..., Ran],
    sandbox: SandboxClient,
    *,
    vendor: str,
    settings: dict[str, Any],
    changes: dict[str, Any],
    said: str,
) -> None:
    sandbox.control(vendor, **settings)
    ran = check(vendor, **changes)
    assert ran.code == 0
    assert any(said in text for text in [*texts(ran, "assumption"), *texts(ran, "account")])


@dataclass(frozen=True)
class Trouble:
    """A fault, and what the doctor says of it."""

    name: str
    failed: str
    said: str
    fault: dict[str, Any] | None = None
    changes: dict[str, Any] | None = None


TROUBLES = [
    Trouble("wrong password", "credentials", "Check ", changes={"password": "another-secret"}),
    Trouble("unauthorized", "credentials", "call refused", {"fault": "unauthorized", "times": -1}),
    Trouble("throttled", "throttled", "asks to wait (429)", {"fault": "429", "times": -1, "retry_after": 11}),
    Trouble("500", "host", "answers, but not as the vendor does", {"fault": "500", "times": -1}),
    Trouble("503", "host", "answers, but not as the vendor does", {"fault": "503", "times": -1}),
    Trouble("maintenance page", "host", "answers, but not as the vendor does", {"fault": "html", "times": -1}),
    Trouble("no reply", "host", "unavailable", {"fault": "drop", "times": -1}),
    Trouble("reset", "host", "unavailable", {"fault": "reset", "times": -1}),
    Trouble("cut reply", "host", "unavailable", {"fault": "cut", "times": -1}),
    Trouble(
        "redirect", "host", "the vendor redirects", {"fault": "reply", "status": 301, "body": {"a": 1}, "times": -1}
    ),
    Trouble("broken reply", "host", "answers, but", {"fault": "reply", "status": 502, "body": [], "times": -1}),
    Trouble("wrong host", "host", "no connection", changes={"host": "http://127.0.0.1:1"}),
    Trouble("wrong path", "host", "", changes={"host": "{url}/nothing"}),
    Trouble("unknown extra", "fields", "'only_recipient'", changes={"extra": {"only_recipient": "*@example.com"}}),
    Trouble("wrong extra", "fields", "requests_per_minute", changes={"extra": {"requests_per_minute": "many"}}),
    Trouble("saved stars", "fields", "enter the secret again", changes={"password": "***"}),
]


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_each_fault_is_named(check: Callable[..., Ran], sandbox: SandboxClient, vendor: str, trouble: Trouble) -> None:
    changes = dict(trouble.changes or {})
    if "host" in changes:
        changes["host"] = changes["host"].format(url=sandbox.url)
        if vendor == "xebo":
            changes["extra"] = {"login_url": changes["host"]}
    if trouble.fault:
        sandbox.fault(**trouble.fault, vendor=vendor)

    ran = check(vendor, **changes)

    found = results(ran)
    assert (ran.code, found.get(trouble.failed)) == (1, "failed"), ran.out
    assert trouble.said in "\n".join(texts(ran, trouble.failed))
    assert [name for name, result in found.items() if result == "failed"] == [trouble.failed]
    assert not any(secret in ran.out + ran.err for secret in {"another-secret", *secrets_of(vendor)})
    assert sandbox.received(vendor)["contacts"] == []


def test_a_time_out(check: Callable[..., Ran], sandbox: SandboxClient) -> None:
    sandbox.fault("hang", times=-1, seconds=20)
    ran = check("collect", extra={"timeout": 0.2})
    assert (ran.code, results(ran)["host"]) == (1, "failed")
    assert "0.2 s" in texts(ran, "host")[0]


@pytest.mark.slow
def test_one_that_asked_to_wait_and_then_answered(check: Callable[..., Ran], sandbox: SandboxClient) -> None:
    sandbox.fault("429", times=1, retry_after=0)
    ran = check("collect")
    assert (ran.code, results(ran)["throttled"], results(ran)["credentials"]) == (0, "warning", "ok")


@pytest.mark.parametrize(
    ("seconds", "result", "said"),
    [
        (0, "ok", "as the vendor's"),
        (30, "warning", "ahead of"),
        (-30, "warning", "behind"),
        (3_600, "failed", "3600 s ahead of"),
    ],
)
def test_a_clock_that_is_off(
    check: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, *, seconds: int, result: str, said: str
) -> None:
    monkeypatch.setattr(reading, "time", SimpleNamespace(time=lambda: time.time() + seconds))
    ran = check("collect")
    assert results(ran)["clock"] == result
    assert (said in texts(ran, "clock")[0] or seconds == 3_600, ran.code) == (True, int(result == "failed"))


@pytest.mark.parametrize(
    ("changes", "name", "result", "said"),
    [
        ({"extra": {"only_recipients": "*@example.com, +447700900001"}}, "only_recipients", "ok", "+44***01"),
        ({"extra": {"verify": False}}, "encryption", "warning", "verify is false"),
        ({"extra": {"requests_per_minute": 90}}, "limits", "info", "90 requests a minute"),
        ({"host": "http://collect.invalid"}, "encryption", "warning", "by http"),
    ],
)
def test_what_the_connection_says(
    check: Callable[..., Ran], *, changes: dict[str, Any], name: str, result: str, said: str
) -> None:
    ran = check("collect", **changes)
    assert results(ran)[name] == result
    assert said in "\n".join(texts(ran, name))
    assert "447700900001" not in ran.out


def test_a_request_that_writes_is_not_sent(
    check: Callable[..., Ran], sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_campaigns.hooks.collect import CollectHook

    monkeypatch.setattr(CollectHook, "check", lambda hook: hook.dialect.send_request("c1", {"email": "jo@example.com"}))
    ran = check("collect")
    assert "would change something, and was not sent" in ran.out
    assert sandbox.received("collect")["requests"] == []
    passed, said = CollectHook().test_connection()
    assert (passed, "was not sent" in said) == (False, True)
    assert sandbox.received("collect")["requests"] == []


def test_a_read_only_conversation_ends_at_its_first_write() -> None:
    ended = []

    def conversation() -> Iterator[Any]:
        try:
            yield Request("GET", "/a", "read")
            yield Request("POST", "/b", "write")
        finally:
            ended.append(True)

    steps: Any = read_only(conversation())  # type: ignore[arg-type]
    assert next(steps).path == "/a"
    with pytest.raises(WriteRefusedError, match="POST"):
        steps.send("reply")
    assert ended == [True]


def test_all_connections_of_the_vendors_types(
    run: Run, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.connection import Connection

    from airflow_provider_campaigns.state.metadata import reading_session

    stored = f"stored_{uuid4().hex[:8]}"
    with reading_session() as session:
        session.add(Connection(conn_id=stored, conn_type="collect", host=f"{sandbox.url}/collect", password="wrong"))
    connect(monkeypatch, sandbox, "collect")
    monkeypatch.setenv("AIRFLOW_CONN_WEB", json.dumps({"conn_type": "http", "host": "example.com"}))
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", "{no connection")

    ran = run("doctor", "--vendor", "collect", "-o", "json")

    assert {stored, "collect_default"} <= {one["connection"] for one in ran.json["findings"]}
    assert {one["type"] for one in ran.json["findings"]} == {"collect"}
    failed = {one["connection"] for one in ran.json["findings"] if one["result"] == "failed"}
    assert (ran.code, failed) == (1, {stored})
    with reading_session() as session:
        session.query(Connection).filter(Connection.conn_id == stored).delete()
    assert run("doctor", "--vendor", "xebo").out.startswith("No connection of type xebo")


def test_a_password_that_cannot_be_decrypted(check: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.common.compat.sdk import AirflowException

    def fail(hook: CampaignHook) -> None:
        raise AirflowException("Can't decrypt encrypted password for login=None")

    monkeypatch.setattr(CampaignHook, "dialect", property(fail))
    ran = check("collect")
    assert (ran.code, texts(ran, "fields")) == (1, ["Can't decrypt encrypted password for login=None"])


def test_a_vendor_of_another_package(run: Run, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models.connection import Connection

    from airflow_provider_campaigns.hooks.collect import CollectHook

    hooks = {"acme": CollectHook("acme"), "web": object()}
    monkeypatch.setattr(Connection, "get_hook", lambda connection: hooks[connection.conn_type])
    fields = {"host": f"{sandbox.url}/collect", **CREDENTIALS["collect"]}
    for kind in hooks:
        monkeypatch.setenv(f"AIRFLOW_CONN_{kind.upper()}", json.dumps({"conn_type": kind, **fields}))

    ran = run("doctor", "acme", "-o", "json")
    assert (ran.code, results(ran)["credentials"]) == (0, "ok")
    assert run("doctor", "web").code == 2


def test_the_history_is_checked_too(
    run: Run, history_file: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    def finding() -> tuple[int, str, str]:
        ran = run("doctor", "--vendor", "xtremepush", "-o", "json")
        (found,) = ran.json["findings"]
        return ran.code, found["result"], found["text"]

    assert finding()[:2] == (0, "warning")
    request.getfixturevalue("history")
    assert finding()[:2] == (0, "ok")
    connection = {"conn_type": "sqlite", "host": str(history_file), "extra": {"hash_key": "short"}}
    monkeypatch.setenv("AIRFLOW_CONN_HISTORY", json.dumps(connection))
    code, result, text = finding()
    assert (code, result, "hash_key of 5 characters" in text) == (1, "failed", True)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["none"], "conn_id: expected the id of an Airflow connection, got 'none'"),
        (["web"], "expected a connection of type xebo, collect"),
        (["collect_default", "--vendor", "exotel"], "expected a connection of type exotel"),
    ],
)
def test_bad_input_is_one_line(
    run: Run, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch, *, argv: list[str], said: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WEB", json.dumps({"conn_type": "http", "host": "example.com"}))
    connect(monkeypatch, sandbox, "collect")
    ran = run("doctor", *argv)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err


def test_a_date_that_is_none(check: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "_date", lambda header: None)
    assert texts(check("collect"), "clock") == ["the vendor sent no date"]
    assert CampaignHook.look_up(None, "c1", "key", None) is None  # type: ignore[arg-type]
