"""Fields of a connection are checked as they are read; what is wrong is named, what is secret is not shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import BaseHook, Connection

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.hooks import fields as connection_fields
from airflow_provider_campaigns.hooks.fields import ConnectionFields

HOST = "https://api.example.com"


def fields(default_host: str = "", **connection: Any) -> ConnectionFields:
    extra = connection.pop("extra", {})
    text = extra if isinstance(extra, str) else json.dumps(extra)
    return ConnectionFields(Connection(conn_id="mine", conn_type="acme", extra=text, **connection), default_host)


# -- where the vendor is


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        pytest.param({"host": "api.example.com"}, HOST, id="a name"),
        pytest.param({"host": "https://api.example.com"}, HOST, id="an address"),
        pytest.param({"host": " https://api.example.com// "}, HOST, id="blanks and slashes around it"),
        pytest.param({"host": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080", id="a port in the address"),
        pytest.param({"host": "api.example.com", "port": 8443}, f"{HOST}:8443", id="a port of its own"),
        pytest.param({"host": "api.example.com", "port": 443}, HOST, id="the usual port"),
        pytest.param({"host": "http://localhost", "port": 80}, "http://localhost", id="the usual port of http"),
        pytest.param({"host": "http://localhost", "port": 443}, "http://localhost:443", id="another scheme's port"),
        pytest.param({"host": "127.0.0.1:8080", "port": 9}, "https://127.0.0.1:8080", id="both: the address wins"),
        pytest.param({"host": "https://example.com/eu/v2/"}, "https://example.com/eu/v2", id="a path prefix"),
        pytest.param(
            {"host": "https://example.com/eu:1", "port": 81}, "https://example.com:81/eu:1", id="a colon in the prefix"
        ),
        pytest.param({"host": "localhost", "schema": "http"}, "http://localhost", id="the schema"),
        pytest.param({"host": "localhost", "schema": "campaigns"}, "https://localhost", id="a schema of another kind"),
        pytest.param({"host": "https://localhost", "schema": "http"}, "https://localhost", id="schema and address"),
        pytest.param({"host": "[::1]", "port": 8080}, "https://[::1]:8080", id="IPv6"),
        pytest.param({"host": "http://[::1]:8080"}, "http://[::1]:8080", id="IPv6 with a port"),
        pytest.param({}, "https://default.example.com", id="the default"),
        pytest.param({"host": "", "port": 8443}, "https://default.example.com:8443", id="the default and a port"),
    ],
)
def test_the_host_takes_scheme_port_and_path_prefix(connection: Mapping[str, Any], url: str) -> None:
    assert fields("https://default.example.com", **connection).settings.base_url == url


@pytest.mark.parametrize(
    ("uri", "url", "password"),
    [
        ("acme://:k%2Fey@api.example.com:8443/http", "http://api.example.com:8443", "k/ey"),
        ("acme://:key@https%3A%2F%2Fapi.example.com%2Feu", "https://api.example.com/eu", "key"),
        ("acme://:key@", "https://default.example.com", "key"),
        ("acme://:key@/?timeout=5&verify=false", "https://default.example.com", "key"),
    ],
)
def test_a_connection_may_be_a_uri(monkeypatch: pytest.MonkeyPatch, uri: str, url: str, password: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME_URI", uri)

    read = ConnectionFields(BaseHook.get_connection("acme_uri"), "https://default.example.com")

    assert (read.settings.base_url, read.secret("password")) == (url, password)
    if "timeout" in uri:
        assert (read.settings.timeout, read.settings.verify) == (5.0, False)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("", "host of connection 'mine': expected the vendor's address"),
        (" ", "host of connection 'mine': expected the vendor's address"),
        ("https://", "host: expected an address such as"),
        ("ftp://api.example.com", "host: expected an address such as"),
        ("https://api.example.com?key=1", "host: expected an address such as"),
        ("https://jo:hunter2@api.example.com", "host: expected an address without credentials"),
    ],
)
def test_a_host_that_will_not_do(host: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        fields(host=host).settings  # noqa: B018

    assert "hunter2" not in str(caught.value)


# -- text, secrets, numbers


def test_text_comes_from_the_standard_fields_and_the_extras() -> None:
    read = fields(login=" jo ", password="key", extra={"region": " IN ", "number": 7, "login": "not this one"})

    assert [read.text(name) for name in ("login", "password", "region", "number", "nothing")] == [
        "jo",
        "key",
        "IN",
        "7",
        "",
    ]


@pytest.mark.parametrize("name", ["login", "region"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_field_that_is_missing_is_named(name: str, value: str | None) -> None:
    read = fields(login=value, extra={"region": value})

    with pytest.raises(InputError, match=f"^{name} of connection 'mine': expected the user name, got nothing$"):
        read.text(name, required="the user name")


def test_a_secret_is_hidden_from_the_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[Any] = []
    monkeypatch.setattr(connection_fields, "mask_secret", masked.append)
    read = fields(password="key", extra={"api_key": "other"})

    assert read.secret("password") == "key"
    assert read.secret("api_key") == "other"
    assert read.secret("nothing") == ""

    assert [one for one in masked if isinstance(one, str)] == ["key", "other"]


@pytest.mark.parametrize("name", ["password", "api_key"])
def test_stars_in_place_of_a_secret_are_refused(name: str) -> None:
    read = fields(password="***", extra={"api_key": "***"})

    with pytest.raises(InputError, match=f"{name} of connection 'mine': expected the secret itself.*enter the secret"):
        read.secret(name)


@pytest.mark.parametrize("extra", ['{"only_recipients": "*@example.com"', "[]", '"text"', "5"])
def test_extras_that_are_no_json_object_are_refused_and_not_taken_for_none(extra: str) -> None:
    # Some versions of Airflow take such extras, and warn; others refuse them already.
    connection: Any = SimpleNamespace(conn_id="mine", extra=extra)

    with pytest.raises(InputError, match="extra of connection 'mine': expected a JSON object"):
        ConnectionFields(connection).only_recipients  # noqa: B018


@pytest.mark.parametrize(
    ("value", "number"), [(5, 5.0), (0.5, 0.5), ("7", 7.0), (" 1.5 ", 1.5), (None, 30.0), ("", 30.0)]
)
def test_a_number_may_be_text_as_forms_save_it(value: Any, number: float) -> None:
    assert fields(host=HOST, extra={"timeout": value}).settings.timeout == number


@pytest.mark.parametrize("value", ["soon", "5 s", 0, -1, "nan", "inf", True, [5], {}])
def test_a_number_that_is_none_is_named(value: Any) -> None:
    with pytest.raises(InputError, match=r"timeout of connection 'mine': expected a number of at least 0\.001"):
        fields(host=HOST, extra={"timeout": value}).settings  # noqa: B018


@pytest.mark.parametrize(("value", "size"), [(None, 64), ("", 64), (1, 1), ("0.5", 0.5)])
def test_the_largest_reply(value: Any, size: float) -> None:
    assert fields(host=HOST, extra={"max_reply_mb": value}).settings.max_reply_bytes == size * 1024 * 1024


@pytest.mark.parametrize("value", [0, -1, "large", "inf"])
def test_a_largest_reply_that_is_none_is_named(value: Any) -> None:
    with pytest.raises(InputError, match="max_reply_mb of connection 'mine': expected a number"):
        fields(host=HOST, extra={"max_reply_mb": value}).settings  # noqa: B018


UNSEEN = ["\x00", "\n", "\x1b", "\x7f", "\x9b", "\u200b", "\u200d", "\u2060", "\u202e", "\ufeff", "\ud800"]


@pytest.mark.parametrize("name", ["password", "login", "api_key"])
@pytest.mark.parametrize("character", UNSEEN)
def test_a_character_that_is_not_seen_is_no_part_of_a_credential(name: str, character: str) -> None:
    value = f"top{character}secret"
    # Not Airflow's own, which itself refuses some of them on 2.11.
    connection = SimpleNamespace(conn_id="mine", login=value, password=value, extra=json.dumps({"api_key": value}))
    with pytest.raises(InputError, match=f"{name} of connection 'mine': expected text without control") as caught:
        ConnectionFields(cast("Connection", connection)).secret(name)
    assert "top" not in str(caught.value)


@pytest.mark.parametrize("extra", [{"any": ["\ud800"]}, {"password": {"any": "\ud800"}}, {"\ud800": "any"}])
def test_a_lone_surrogate_anywhere_in_the_extras_is_named(extra: Mapping[str, Any]) -> None:
    connection = SimpleNamespace(conn_id="mine", extra=json.dumps(extra))
    with pytest.raises(InputError, match="of connection 'mine': expected text without control"):
        ConnectionFields(cast("Connection", connection)).extras  # noqa: B018


def test_blanks_around_a_credential_are_left_out() -> None:
    assert fields(password=" top secret\n").secret("password") == "top secret"


@pytest.mark.parametrize(
    "host", ["http://[::1", "api.example.com:port", "api.exa\u200bmple.com", "a\ud800.example.com"]
)
def test_a_host_that_is_no_address_is_named(host: str) -> None:
    with pytest.raises(InputError, match=r"^host: expected an address"):
        fields(host=host).settings  # noqa: B018


@pytest.mark.parametrize("extra", ["[" * 100_000, '{"a":' * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "[]", "{"])
def test_extras_that_cannot_be_read_are_named(extra: str) -> None:
    with pytest.raises(InputError, match="extra of connection 'mine': expected a JSON object"):
        ConnectionFields(cast("Connection", SimpleNamespace(conn_id="mine", extra=extra))).extras  # noqa: B018


@pytest.mark.parametrize(("value", "limit"), [(None, 3), (0, 0), ("5", 5), (2.0, 2)])
def test_the_retry_limit(value: Any, limit: int) -> None:
    assert fields(extra={"retry_limit": value}).policy.retry_limit == limit


@pytest.mark.parametrize("value", [-1, "often"])
def test_a_retry_limit_that_is_none_is_named(value: Any) -> None:
    with pytest.raises(InputError, match="retry_limit of connection 'mine': expected a number of at least 0"):
        fields(extra={"retry_limit": value}).policy  # noqa: B018


@pytest.mark.parametrize(
    ("value", "verify"),
    [
        (None, True),
        ("", True),
        (True, True),
        ("true", True),
        ("True", True),
        (False, False),
        ("false", False),
        (" False ", False),
    ],
)
def test_verify_is_on_unless_it_is_switched_off(value: Any, verify: bool) -> None:
    assert fields(host=HOST, extra={"verify": value}).settings.verify is verify
    assert fields(host=HOST).settings.verify is True


def test_verify_may_be_a_file_of_authorities(tmp_path: Path) -> None:
    authorities = tmp_path / "authorities.pem"
    authorities.touch()

    assert fields(host=HOST, extra={"verify": str(authorities)}).settings.verify == str(authorities)


@pytest.mark.parametrize("value", ["/nowhere/authorities.pem", "no", "0", 0, 1, ["a"]])
def test_verify_that_is_neither_is_reported_before_the_first_request(value: Any) -> None:
    with pytest.raises(InputError, match="verify of connection 'mine': expected true, false, or a file"):
        fields(host=HOST, extra={"verify": value}).settings  # noqa: B018


@pytest.mark.parametrize(
    ("value", "patterns"),
    [
        (None, ()),
        ("", ()),
        ([], ()),
        ("*@example.com", ("*@example.com",)),
        ("*@example.com, +44*,\n202*\n,", ("*@example.com", "+44*", "202*")),
        (["*@example.com", " "], ("*@example.com",)),
    ],
)
def test_only_recipients_are_patterns_separated_by_commas_or_lines(value: Any, patterns: tuple[str, ...]) -> None:
    assert fields(extra={"only_recipients": value}).only_recipients == patterns


@pytest.mark.parametrize("value", [5, {"a": 1}, [5]])
def test_only_recipients_that_are_no_patterns_stop_everything(value: Any) -> None:
    with pytest.raises(InputError, match="only_recipients of connection 'mine': expected patterns"):
        fields(extra={"only_recipients": value}).only_recipients  # noqa: B018


def test_the_proxy_is_optional() -> None:
    assert fields(host=HOST).settings.proxy is None
    assert fields(host=HOST, extra={"proxy": "http://proxy:3128"}).settings.proxy == "http://proxy:3128"
