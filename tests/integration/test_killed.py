"""Processes that send are killed with SIGKILL, again and again, until one of them comes to the end."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.engine import AHEAD
from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import connect, contacted
from tests.operators.deliveries import write_csv

ROOT = Path(__file__).parents[2]
SENDER = Path(__file__).parent / "killed_sender.py"
CONCURRENCY = 4
KILLS = 4
PEOPLE = [f"+447700900{number:03}" for number in range(400)]


@pytest.fixture
def sandbox() -> Iterator[SandboxClient]:
    with SandboxServer(limits=False) as server:
        client = SandboxClient(server.url)
        client.latency(0.1)
        yield client


@pytest.mark.parametrize("vendor", ["xtremepush", "ozonetel", "ozonetel-checked"])
def test_a_sender_killed_again_and_again_contacts_nobody_twice_and_loses_nobody(
    vendor: str,
    sandbox: SandboxClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    name = vendor.partition("-")[0]
    column, batch_size = ("phoneNumber", 1) if name == "ozonetel" else ("user_id", 2)
    extra = {"auth_mode": "basic"} if name == "ozonetel" else {}
    if extra:
        sandbox.control("ozonetel", auth_mode="BASIC_AUTH")
    connect(monkeypatch, sandbox, name, extra=extra)
    write_csv(tmp_path / "contacts.csv", [{column: person} for person in PEOPLE])
    dice = random.Random(7)
    command = [sys.executable, str(SENDER), vendor]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    kills = 0
    for number_of_try in range(1, 2 * KILLS + 5):
        before = len(contacted(sandbox, name))
        process = subprocess.Popen([*command, str(number_of_try), str(tmp_path)], env=environment)
        enough = before + dice.randint(1, 60) if kills < KILLS else float("inf")
        while process.poll() is None and len(contacted(sandbox, name)) < enough:
            time.sleep(0.02)
        if process.poll() is None:
            process.kill()
            kills += 1
        if process.wait() == 0:
            break

    outcomes = list(read_outcomes(tmp_path / "outcomes" / "dag" / "run" / "send"))
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    received = Counter(contacted(sandbox, name))
    statuses = Counter(line["status"] for line in outcomes)
    # On a slow machine one may come to the end before it is killed.
    assert kills >= KILLS // 2
    assert [line["row"] for line in outcomes] == list(range(1, len(PEOPLE) + 1))
    assert {status: receipt[status] for status in statuses} == statuses
    assert set(statuses) <= {"accepted", "unknown"}
    assert {line["key"] for line in outcomes if line["status"] == "accepted"} <= received.keys()
    if vendor == "ozonetel-checked":
        assert statuses["unknown"] == 0
        assert set(received) == set(PEOPLE)
    else:
        assert max(received.values()) == 1
        assert statuses["unknown"] <= kills * AHEAD * CONCURRENCY * batch_size
        assert {line["key"] for line in outcomes if line["status"] == "unknown"} >= set(PEOPLE) - received.keys()
