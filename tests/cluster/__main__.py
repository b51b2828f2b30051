"""Runs a cluster until Ctrl-C, with the sandbox as all vendors: `make cluster`."""

from __future__ import annotations

import signal
from contextlib import suppress

from airflow_provider_campaigns.sandbox.server import SandboxServer
from tests.cluster.cluster import STORAGE, running_cluster


def main() -> None:
    """Start it, say where it is, and wait."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt), SandboxServer() as sandbox, running_cluster(sandbox.url) as cluster:
        print(f"Airflow: {cluster.url}\nsandbox: {sandbox.url}\nobject storage: {STORAGE}\nlogs: {cluster.home}/*.log")
        print("Ctrl-C ends it")
        signal.pause()


if __name__ == "__main__":
    main()
