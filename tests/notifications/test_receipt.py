"""The receipt as a text, handed to Airflow's own HTTP notifier (and a Slack of the test's own), or to a function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from airflow.providers.http.notifications.http import HttpNotifier

from airflow_provider_campaigns.compat import mask_secret
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.notifications.receipt import CampaignReceiptNotifier

RECEIPT: dict[str, Any] = {
    "vendor": "ozonetel",
    "campaign": "Demo",
    "contacts": 1200,
    "accepted": 1187,
    "duplicate": 3,
    "rejected": 8,
    "invalid": 0,
    "unsent": 0,
    "unknown": 2,
    "requests": 1190,
    "normalised": 0,
    "outcomes_path": "/outcomes/leads/run/add",
}


@dataclass
class Task:
    """What a notifier reads of a task instance."""

    receipts: dict[tuple[str, int], Any] = field(default_factory=dict)
    task_id: str = "add"
    map_index: int = -1
    dag_id: str = "leads"
    run_id: str = "manual__2026-03-01"
    log_url: str = "http://airflow.example.com/log"

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        assert key == "receipt"
        return self.receipts.get((task_ids, map_indexes))


def context(receipt: Any = None, **values: Any) -> Any:
    return {"ti": Task({("add", -1): receipt}), "dag": None, **values}


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The messages that an incoming webhook on loopback was sent."""
    messages: list[dict[str, Any]] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            messages.append({"path": self.path, **json.loads(body)})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Webhook)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AIRFLOW_CONN_SLACK", json.dumps({"conn_type": "http", "host": url}))
    yield messages
    server.shutdown()
    server.server_close()


def to_slack() -> HttpNotifier:
    message = {"text": "{{ campaign_receipt }}"}
    return HttpNotifier(http_conn_id="slack", endpoint="/services/T0/B0/X", json=message)


def test_another_notifier_sends_the_text(slack: list[dict[str, Any]]) -> None:
    CampaignReceiptNotifier(to=to_slack(), title="Leads of {{ ti.dag_id }}")(context(RECEIPT))
    assert slack == [
        {
            "path": "/services/T0/B0/X",
            "text": "Leads of leads\n"
            "Campaign Demo (ozonetel): 1,200 contacts\n"
            "1,187 accepted, 3 duplicate, 8 rejected, 2 unknown\n"
            "Of unknown ones it is not known whether they were reached; they are not sent again by themselves\n"
            "Outcomes: /outcomes/leads/run/add\n"
            "DAG leads, task add, run manual__2026-03-01\n"
            "Log: http://airflow.example.com/log",
        }
    ]


def test_what_is_in_a_receipt_is_no_template_no_tag_and_no_person(slack: list[dict[str, Any]]) -> None:
    receipt = {
        **RECEIPT,
        "campaign": "{{ 7 * 7 }} <!channel> <b>",
        "warning": "zoe@example.com and +447700900100\nDAG: forged",
    }
    CampaignReceiptNotifier(to=to_slack())(context(receipt, exception=ValueError("x" * 10_000)))
    (message,) = slack
    assert "{{ 7 * 7 }} \u2039!channel\u203a \u2039b\u203a" in message["text"]
    assert r"z***@example.com and +44***00\nDAG: forged" in message["text"]
    assert len(message["text"]) < 2_000


def test_secrets_of_an_error_are_hidden() -> None:
    mask_secret("17-not-to-be-seen-17")
    texts: list[str] = []
    error = ValueError("17-not-to-be-seen-17 of zoe@example.com")
    CampaignReceiptNotifier(to=texts.append)(context({**RECEIPT, "campaign": "7345001234"}, exception=error))
    assert "Failed: *** of z***@example.com\n" in texts[0]
    assert "Campaign 7345001234 " in texts[0]


def test_a_function_gets_the_text() -> None:
    texts: list[str] = []
    notifier = CampaignReceiptNotifier(to=texts.append)
    notifier(context(RECEIPT))
    notifier(context(None, exception=InputError("contacts", "a file", "nothing")))
    assert texts[0].startswith("Campaign Demo (ozonetel): 1,200 contacts\n")
    assert texts[1] == (
        "No receipt: the delivery did not begin\n"
        "DAG leads, task add, run manual__2026-03-01\n"
        "Failed: contacts: expected a file, got nothing\n"
        "Log: http://airflow.example.com/log"
    )


@pytest.mark.parametrize(
    ("options", "task", "expected"),
    [
        ({}, Task({("add", 3): RECEIPT}, map_index=3), "Campaign Demo"),
        ({"task_id": "add"}, Task({("add", -1): RECEIPT}, task_id="wait"), "Campaign Demo"),
        ({"task_id": "{{ 'add' }}"}, Task({("add", -1): RECEIPT}, task_id="wait"), "Campaign Demo"),
        ({}, Task({("add", -1): RECEIPT}, task_id="wait"), "No receipt"),
        ({}, Task({("add", -1): {"id": "5"}}), "No receipt"),
        ({}, Task({("add", -1): {**RECEIPT, "accepted": 0, "duplicate": 0, "rejected": 0, "unknown": 0}}), "nobody"),
    ],
)
def test_whose_receipt(options: dict[str, Any], task: Task, expected: str) -> None:
    texts: list[str] = []
    CampaignReceiptNotifier(to=texts.append, **options)({"ti": task, "dag": None})
    assert expected in texts[0]


def test_what_cannot_take_a_text_is_refused() -> None:
    with pytest.raises(InputError, match="to: expected a notifier, or a function"):
        CampaignReceiptNotifier(to="#channel")  # type: ignore[arg-type]
