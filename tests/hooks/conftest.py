"""Fixtures of the state that hooks keep in Airflow Variables."""

from tests.state.conftest import database, stored, supervisor

__all__ = ["database", "stored", "supervisor"]
