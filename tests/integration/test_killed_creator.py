"""Processes that create an Exotel campaign are killed with SIGKILL: one campaign, and everybody on it once."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted
from tests.integration import killed_creator
from tests.operators.deliveries import write_csv

pytestmark = pytest.mark.newest_airflow

PEOPLE = [f"+447700900{number:03}" for number in range(100)]
# Each process is a fork of one that has imported Airflow.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([killed_creator.__name__])


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

    def start(self) -> ForkServerProcess:
        self.tries += 1
        arguments = (self.tries, self.folder, self.size == "many", dict(os.environ))
        process = PROCESSES.Process(target=killed_creator.main, args=arguments)
        process.start()
        return process

    def kill_after(self, requests: int) -> bool:
        """Kill a try once the sandbox has so many requests more; return whether it lived that long."""
        before = len(self.sandbox.received("exotel")["requests"])
        process = self.start()
        while process.is_alive() and len(self.sandbox.received("exotel")["requests"]) < before + requests:
            time.sleep(0.01)
        process.kill()
        process.join()
        return process.exitcode == -signal.SIGKILL

    def finish(self) -> dict[str, Any]:
        process = self.start()
        process.join(60)
        assert process.exitcode == 0
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
    while not contacted(sandbox, "exotel") and process.is_alive():
        time.sleep(0.01)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL

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
