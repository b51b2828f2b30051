"""The executor of ``ScheduledAirflow``, on Airflow 3."""

from __future__ import annotations

from importlib import import_module

from airflow.executors.local_executor import LocalExecutor


class WarmLocalExecutor(LocalExecutor):
    """A ``LocalExecutor`` that has imported what its tasks import: else each of them takes a quarter of a second."""

    def start(self) -> None:
        """Import it, and start; the processes of the tasks are forks of this one."""
        import_module("tests.integration.leaks")
        super().start()
