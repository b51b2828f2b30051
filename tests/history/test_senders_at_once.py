"""Senders at once to the same people, with a cap of one and kills: each is reached at most once, none is lost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests import connections

ROOT = Path(__file__).parents[2]
SENDER = Path(__file__).with_name("sender.py")
# On a server of its own (make integration), and in a file.
SENDERS, PEOPLE, KILLS = (8, 10_000, 12) if "HISTORY_DATABASES" in os.environ else (3, 500, 2)
# Tries of one sender: it may be killed before it has sent anything.
MOST_TRIES = 30


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxClient]:
    with SandboxServer(limits=False) as server:
        client = SandboxClient(server.url)
        client.latency(0.02)
        connections.connect(monkeypatch, client, "xtremepush")
        yield client


class Sender:
    """A task whose tries are processes."""

    def __init__(self, folder: Path, contacts: Path) -> None:
        self.folder = folder
        self._contacts = contacts
        self._tries = 0
        self.kills = 0
        self.start()

    def start(self) -> None:
        self._tries += 1
        assert self._tries < MOST_TRIES
        command = [sys.executable, str(SENDER), str(self._tries), str(self.folder), str(self._contacts)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        if self.process.wait() < 0:
            self.kills += 1
            self.start()

    @property
    def done(self) -> bool:
        if self.process.poll() is not None and self.process.returncode:
            raise AssertionError(f"{self.folder.name} ended with {self.process.returncode}")
        return self.process.returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("connection")
def test_senders_at_once_reach_everybody_once(sandbox: SandboxClient, tmp_path: Path) -> None:
    dice = random.Random(17)
    people = [f"user-{number:05}" for number in range(PEOPLE)]
    senders = []
    for number in range(SENDERS):
        contacts = tmp_path / f"contacts-{number}.csv"
        contacts.write_text("\n".join(["user_id", *dice.sample(people, PEOPLE)]) + "\n")
        senders.append(Sender(tmp_path / f"sender-{number}", contacts))
    kills = 0
    try:
        while running := [one for one in senders if not one.done]:
            time.sleep(0.02)
            # Evenly, by how many were reached: however fast that is.
            if kills < KILLS and sandbox.counts("xtremepush")["accepted"] > kills * PEOPLE // (KILLS + 1):
                time.sleep(dice.uniform(0, 0.1))
                dice.choice(running).kill()
                kills += 1
    finally:
        for one in senders:
            one.process.kill()
            one.process.wait()

    received = Counter(connections.contacted(sandbox, "xtremepush"))
    ends: dict[str, Counter[str]] = defaultdict(Counter)
    for one in senders:
        for line in read_outcomes(one.folder / "outcomes" / "dag" / one.folder.name / "send"):
            ends[str(line["key"])][line["status"]] += 1
    assert sum(one.kills for one in senders) >= KILLS // 2
    assert set(received.values()) <= {1}
    assert received.keys() <= set(people)
    assert ends.keys() == set(people)
    for who, statuses in ends.items():
        # Nobody is lost: each sender says what became of each, and one of them reached, or may have.
        assert statuses.total() == SENDERS
        assert statuses["accepted"] + statuses["unknown"] >= 1
        assert statuses["accepted"] <= received[who]
        assert received[who] <= statuses["accepted"] + statuses["unknown"]
        assert set(statuses) <= {"accepted", "unknown", "capped"}
