"""Starting and stopping the sandbox: in a thread, from the command line, and what it needs to run."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import airflow_provider_campaigns.sandbox as package
from airflow_provider_campaigns.sandbox.__main__ import main
from airflow_provider_campaigns.sandbox.server import SandboxServer, create_app
from airflow_provider_campaigns.sandbox.testing import SandboxClient

COMMAND = [sys.executable, "-m", "airflow_provider_campaigns.sandbox"]
ROOT = Path(__file__).parents[2]


def test_a_server_answers_until_it_is_stopped() -> None:
    with SandboxServer() as server:
        assert requests.get(f"{server.url}/_sandbox/", timeout=5).ok
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.url}/_sandbox/", timeout=5)


def test_a_server_stops_while_requests_hang() -> None:
    with SandboxServer() as server:
        SandboxClient(server.url).fault("hang", seconds=60)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{server.url}/xebo/", timeout=0.05)
    assert not server._thread.is_alive()


def limited_calls(server: SandboxServer, number: int) -> list[int]:
    url = f"{server.url}/exotel/v2/accounts/sandbox1/campaigns"
    with requests.Session() as session:
        session.auth = ("exotel-sandbox-key", "exotel-sandbox-token")
        return [session.get(url, timeout=5).status_code for _ in range(number)]


def test_rate_limits_can_be_switched_off_and_sizes_cannot() -> None:
    with SandboxServer(limits=False, speed=60) as server:
        assert limited_calls(server, 40) == [207] * 40
        targets = {"apptoken": "xtremepush-sandbox-token", "id": "7", "target": ["1"] * 1001}
        url = f"{server.url}/xtremepush/api/external/execute/campaign"
        assert requests.post(url, json=targets, timeout=5).status_code == 400
        assert requests.get(f"{server.url}/_sandbox/clock", timeout=5).json()["speed"] == 60


# -- from the command line


@pytest.fixture
def command_line() -> Iterator[subprocess.Popen[str]]:
    options = ["--port", "0", "--limits", "off", "--speed", "60"]
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        process.kill()


def test_the_command_says_where_it_listens_and_ends_when_interrupted(command_line: subprocess.Popen[str]) -> None:
    assert command_line.stdout
    line = command_line.stdout.readline()
    assert line.startswith("sandbox listening on http://127.0.0.1:")
    assert "for tests only" in line
    url = line.split()[3]
    assert requests.get(f"{url}/_sandbox/clock", timeout=5).json()["speed"] == 60
    command_line.send_signal(signal.SIGINT)
    assert command_line.wait(timeout=10) == 0


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit, match="in use"):
        main(["--port", str(taken.getsockname()[1])])


@pytest.mark.parametrize("options", [["--speed", "0"], ["--limits", "some"], ["--port", "any"]])
def test_wrong_options_are_explained(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(options)
    assert options[0] in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_extra_is_explained(missing: str) -> None:
    start = "import runpy; runpy.run_module('airflow_provider_campaigns.sandbox', run_name='__main__')"
    hidden = f"import sys; sys.modules['{missing}'] = None; {start}"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr == f"the sandbox needs {missing}: pip install 'airflow-provider-campaigns[sandbox]'\n"


def test_the_sandbox_shares_nothing_with_the_provider() -> None:
    look = "import sys, airflow_provider_campaigns.sandbox.server as s; s.create_app(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=ROOT)
    ours = [name for name in done.stdout.split() if name.startswith("airflow")]
    assert [name for name in ours if not name.startswith("airflow_provider_campaigns.sandbox")] == [
        "airflow_provider_campaigns"
    ]


# -- a vendor more

SIXTH = """
from dataclasses import dataclass

from airflow_provider_campaigns.sandbox.vendor import Vendor, reply


@dataclass
class Settings:
    greeting: str = "hello"


class Sixth(Vendor):
    name = "sixth"

    def reset(self):
        self.settings = Settings()

    def routes(self):
        return [self.route("GET", "/greet", self.greet)]

    def error(self, status, message=None):
        return reply({"problem": message}, status)

    def greet(self, call):
        return reply(self.settings.greeting)
"""


def test_a_sixth_vendor_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sixth.py").write_text(SIXTH)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, f"{package.__name__}.sixth", raising=False)
    with SandboxServer() as server:
        SandboxClient(server.url).control("sixth", greeting="good day")
        assert requests.get(f"{server.url}/sixth/greet", timeout=5).json() == "good day"


# -- without uvicorn


def test_another_server_gets_an_exception_where_the_connection_would_break() -> None:
    app = create_app()

    async def ask(method: str, path: str, body: Any) -> None:
        message = {"type": "http.request", "body": json.dumps(body).encode()}
        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}

        async def receive() -> Any:
            return message

        async def send(_: Any) -> None:
            pass

        await app(scope, receive, send)

    asyncio.run(ask("POST", "/_sandbox/faults", {"fault": "reset"}))
    with pytest.raises(ConnectionResetError):
        asyncio.run(ask("POST", "/xebo/", {}))
