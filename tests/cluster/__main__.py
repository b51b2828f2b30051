"""Runs a cluster until Ctrl-C, with the sandbox as all vendors: `make cluster`."""

from __future__ import annotations

import signal
from contextlib import suppress

from airflow_provider_campaigns.sandbox.server import SandboxServer
from tests.cluster.cluster import STORAGE, running_cluster


def main() -> None:
    """Start it, say where it is, and wait."""
    with SandboxServer() as sandbox, running_cluster(sandbox.url) as cluster:
        print(f"Airflow: {cluster.url}\nsandbox: {sandbox.url}\nobject storage: {STORAGE}\nlogs: {cluster.home}/*.log")
        print("Ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
