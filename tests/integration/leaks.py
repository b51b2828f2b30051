"""
Recipients and secrets that are easily found, operators that handle them, and the places where they might remain.

DAG files of the tests import this, too.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator, UpdateCollectRequestOperator
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.operators.xebo import TriggerSurveyOperator
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from airflow_provider_campaigns.sandbox import xebo
from tests.connections import CREDENTIALS, EXTRAS

# At DEBUG Airflow 3 logs the messages between a task and its supervisor: what to mask (only in dag.test()), what to
# store (which is looked for where it is stored).
AIRFLOWS_OWN = re.compile(r"msg=(MaskSecret|(Put|Set|Get)?(Variable|XCom|TaskStateStore)(Result)?)\(")

ECHOES = ("200", "400", "401", "500", "html")

PHONES = [f"+4477009007{number}" for number in range(10, 20)]
EMAILS = [f"probe-{number}@example.com" for number in range(10, 20)]
COLLECTOR_TOKEN = "probe-collector-token"
ASSIGNEE = "probe-assignee@example.com"

# Beside passwords and keys: what of them goes into headers, and the access tokens that the sandbox hands out.
SECRETS = [
    *(fields["password"] for fields in CREDENTIALS.values()),
    *(
        base64.b64encode(f"{fields.get('login', '')}:{fields['password']}".encode()).decode()
        for fields in CREDENTIALS.values()
    ),
    xebo.API_KEY,
    "xebo-token-",
    "xebo-refresh-",
    "ozonetel-token-",
]
# Without + and country, as a number may be written in another way; without @, which may be written as %40.
RECIPIENTS = [phone[3:] for phone in PHONES] + [email.partition("@")[0] for email in (*EMAILS, ASSIGNEE)]

# One comes twice, and some cannot be sent.
CONTACTS = [
    *({"phone": phone, "email": email} for phone, email in zip(PHONES[:6], EMAILS[:6], strict=True)),
    {"phone": PHONES[0], "email": EMAILS[0]},
    {"phone": f"{PHONES[6]}x", "email": f"not {EMAILS[6]}"},
    {"phone": f"tel:{PHONES[7]}", "email": f"{EMAILS[7]} (work)"},
    {"phone": f"{PHONES[8]}/{PHONES[9]}", "email": f"{EMAILS[8]},{EMAILS[9]}"},
]
NUMBERS = [{"number": phone} for phone in PHONES[:6]]


def connections(sandbox_url: str, echo_url: str) -> dict[str, str]:
    """
    Return environment variables with the connections ``<vendor>_<kind>``, and the Variable ``collector_token``.

    Kinds: ``sandbox``, and the echo's, which are the statuses of its replies; ``sign_in`` asks it for a token first.
    """
    hosts = {"sandbox": sandbox_url, **{kind: f"{echo_url}/{kind}" for kind in ECHOES}, "sign_in": f"{echo_url}/400"}
    variables = {"AIRFLOW_VAR_COLLECTOR_TOKEN": COLLECTOR_TOKEN}
    for kind, url in hosts.items():
        for vendor, credentials in CREDENTIALS.items():
            host = f"{url}/{vendor}"
            fields: dict[str, Any] = {"conn_type": vendor, "host": host, **credentials}
            fields["extra"] = {"retry_limit": 0, "timeout": 10, **EXTRAS.get(vendor, {})}
            if vendor == "xebo":
                fields["extra"] |= {"login_url": host} if kind in {"sandbox", "sign_in"} else {"api_key": xebo.API_KEY}
            if vendor == "ozonetel" and kind in ECHOES:
                fields["extra"]["auth_mode"] = "basic"
            variables[f"AIRFLOW_CONN_{vendor.upper()}_{kind.upper()}"] = json.dumps(fields)
    return variables


def probing_operators(
    kind: str,
    contacts: Any,
    numbers: Any,
    outcomes_path: str | None,
    collector_token: str = "{{ var.value.collector_token }}",
) -> list[BaseOperator]:
    """
    Return every operator that handles recipients.

    :param kind: which connections they use.
    :param contacts: as their parameter ``contacts``; ``numbers`` is that of the operator for Exotel.
    """
    common: dict[str, Any] = {"contacts": contacts, "outcomes_path": outcomes_path}
    lead: dict[str, Any] = {
        "campaign_name": "Demo",
        "columns": {"phoneNumber": "phone"},
        "ozonetel_conn_id": f"ozonetel_{kind}",
    }
    survey: dict[str, Any] = {
        "collector_id": "c",
        "collector_token": collector_token,
        "xebo_conn_id": f"xebo_{kind}",
    }
    return [
        AddCampaignLeadOperator(task_id="lead", **lead, **common),
        AddCampaignLeadOperator(task_id="bulk", bulk=True, **{**lead, "campaign_name": "Bulk"}, **common),
        TriggerSurveyOperator(task_id="survey", medium="email", columns={"email": "email"}, **survey, **common),
        TriggerSurveyOperator(task_id="links", columns={"mobile": "phone", "email": "email"}, **survey, **common),
        SendCollectRequestOperator(
            task_id="request",
            campaign_id="KYC",
            columns={"email": "email"},
            assigned_to=ASSIGNEE,
            collect_conn_id=f"collect_{kind}",
            **common,
        ),
        UpdateCollectRequestOperator(
            task_id="update",
            request_id="probe",
            status="completed",
            assigned_to=ASSIGNEE,
            collect_conn_id=f"collect_{kind}",
        ),
        ExecuteXtremepushCampaignOperator(
            task_id="push",
            campaign_id="7",
            target_by="email",
            columns={"email": "email"},
            xtremepush_conn_id=f"xtremepush_{kind}",
            **common,
        ),
        CreateExotelCampaignOperator(
            task_id="call",
            name="Probe",
            caller_id="+442079460000",
            read_via_text="Hello",
            contacts=numbers,
            exotel_conn_id=f"exotel_{kind}",
        ),
    ]


def found(text: str, probes: list[str]) -> list[str]:
    """Return the probes that ``text`` holds, each with what is around it."""
    places = ((probe, text.find(probe)) for probe in probes)
    return [f"{probe}: {text[max(0, at - 300) : at + 100]}" for probe, at in places if at >= 0]


def files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of every file below ``folder``."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_text(errors="replace")


def rows(database: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield table and values of every row of an SQLite database."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield table, {name: _text(row[name]) for name in row.keys()}  # noqa: SIM118 - a Row has no names itself


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


class Echo(BaseHTTPRequestHandler):
    """
    A vendor that repeats what it was sent in its error messages: whichever vendor it is, its message is found there.

    The first part of the path is the status of the reply; ``html`` is a page.
    """

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        kind = self.path.split("/")[1]
        status = 200 if kind == "html" else int(kind)
        error = {"code": status, "name": "Invalid", "message": body, "description": body}
        envelope = {
            "status": "ERROR",
            "success": False,
            "code": status,
            "message": body,
            "error": error,
            "errors": [body],
            "response": [{"code": status, "status": "failure", "error_data": error, "data": None}],
        }
        reply = (f"<html><h1>{body}</h1></html>" if kind == "html" else json.dumps(envelope)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if kind == "html" else "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Write nothing to stderr."""


@contextmanager
def echo() -> Iterator[str]:
    """Run the vendor that repeats, and give its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
