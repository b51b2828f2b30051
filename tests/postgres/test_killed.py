"""Contacts of a query that gives another result each time, sent by processes that are killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests import connections
from tests.postgres.conftest import Execute
from tests.postgres.sender import SQL

ROOT = Path(__file__).parents[2]
SENDER = Path(__file__).with_name("sender.py")
PEOPLE = [f"user-{number:04}" for number in range(300)]
# How many contacts the vendor has received when a process is killed.
KILLS = (20, 90)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxClient]:
    with SandboxServer(limits=False) as server:
        client = SandboxClient(server.url)
        client.latency(0.1)
        connections.connect(monkeypatch, client, "xtremepush")
        yield client


def received(sandbox: SandboxClient) -> list[str]:
    return connections.contacted(sandbox, "xtremepush")


def send(folder: Path, number_of_try: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(SENDER), str(number_of_try), str(folder)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL)


def change(execute: Execute) -> None:
    """Move half of the rows to the end of the table, take one away, add one."""
    execute("UPDATE people SET first_name = first_name || '!' WHERE right(user_id, 1) IN ('1', '3', '5', '7', '9')")
    execute("DELETE FROM people WHERE user_id = (SELECT max(user_id) FROM people)")
    execute("INSERT INTO people SELECT 'new-' || count(*), 'Zoë' FROM people WHERE first_name LIKE '%!!'")


@pytest.mark.usefixtures("connect")
@pytest.mark.timeout(300)
def test_a_table_that_changes_between_tries_sends_nobody_twice_and_loses_nobody(
    sandbox: SandboxClient, execute: Execute, tmp_path: Path
) -> None:
    execute("CREATE TABLE people (user_id text, first_name text)")
    execute("INSERT INTO people SELECT 'user-' || to_char(n, 'FM0000'), 'Zoë' FROM generate_series(0, 299) AS n")
    results = [execute(SQL)]

    for number, enough in enumerate(KILLS, 1):
        process = send(tmp_path, number)
        while process.poll() is None and len(received(sandbox)) < enough:
            time.sleep(0.01)
        process.kill()
        assert process.wait() < 0
        change(execute)
        results.append(execute(SQL))
    assert send(tmp_path, len(KILLS) + 1).wait(60) == 0

    assert all(before != after for before, after in pairwise(results))
    folder = tmp_path / "outcomes" / "dag" / "run" / "send"
    outcomes = list(read_outcomes(folder))
    accepted, unknown = ({line["key"] for line in outcomes if line["status"] == s} for s in ("accepted", "unknown"))
    assert [line["row"] for line in outcomes] == list(range(1, len(PEOPLE) + 1))
    assert accepted | unknown == set(PEOPLE)
    assert accepted <= set(received(sandbox)) <= set(PEOPLE)
    assert max(Counter(received(sandbox)).values()) == 1
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    assert (receipt["accepted"], receipt["unknown"]) == (len(accepted), len(unknown))
    assert [path.name for path in (folder / "contacts").iterdir()] == ["contacts-001.jsonl"]
