"""Processes that create an Exotel campaign are killed with SIGKILL: one campaign, and everybody on it once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted
from tests.operators.deliveries import write_csv

ROOT = Path(__file__).parents[2]
CREATOR = Path(__file__).parent / "killed_creator.py"
PEOPLE = [f"+447700900{number:03}" for number in range(100)]


@pytest.fixture
def sandbox() -> Iterator[SandboxClient]:
    with SandboxServer(limits=False) as server:
        yield SandboxClient(server.url)


class Creators:
    """Tries of one task, one after the other."""

    def __init__(self, sandbox: SandboxClient, folder: Path, size: str) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.size = size
        self.tries = 0

    def start(self) -> subprocess.Popen[bytes]:
        self.tries += 1
        command = [sys.executable, str(CREATOR), str(self.tries), str(self.folder), self.size]
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL)

    def kill_after(self, requests: int) -> bool:
        """Kill a try once the sandbox has so many requests more; return whether it lived that long."""
        before = len(self.sandbox.received("exotel")["requests"])
        process = self.start()
        while process.poll() is None and len(self.sandbox.received("exotel")["requests"]) < before + requests:
            time.sleep(0.01)
        killed = process.poll() is None
        process.kill()
        process.wait()
        return killed

    def finish(self) -> dict[str, Any]:
        assert self.start().wait(60) == 0
        campaign: dict[str, Any] = json.loads((self.folder / "campaign.json").read_text())
        return campaign


@pytest.fixture
def folder(tmp_path: Path, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> Path:
    connect(monkeypatch, sandbox, "exotel")
    write_csv(tmp_path / "contacts.csv", [{"number": number} for number in PEOPLE])
    return tmp_path


def test_killed_between_the_request_and_the_stored_id(sandbox: SandboxClient, folder: Path) -> None:
    sandbox.fault("hang-after", vendor="exotel", method="POST", path="/campaigns")
    creators = Creators(sandbox, folder, "few")

    process = creators.start()
    while not contacted(sandbox, "exotel") and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    assert process.wait() < 0

    campaign = creators.finish()
    assert calls(sandbox, "exotel").count("create_campaign") == 1
    assert contacted(sandbox, "exotel") == PEOPLE
    assert campaign["from"] == len(PEOPLE)


@pytest.mark.parametrize("requests", [1, 3])
def test_killed_again_and_again_while_lists_are_made(sandbox: SandboxClient, folder: Path, requests: int) -> None:
    sandbox.latency(0.05)
    creators = Creators(sandbox, folder, "many")

    kills = 0
    while kills < 4 and not calls(sandbox, "exotel").count("create_campaign"):
        kills += creators.kill_after(requests)

    campaign = creators.finish()
    assert kills
    assert calls(sandbox, "exotel").count("create_campaign") == 1
    assert Counter(contacted(sandbox, "exotel")) == Counter(PEOPLE)
    assert len(campaign["lists"]) == 2
