"""Airflow Variables: what was written is read, and whatever goes wrong is raised."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.state import variables
from tests.state.conftest import Encryption, Stored, Supervisor


def test_what_was_written_is_read(stored: Stored) -> None:
    assert variables.read("one") is None
    variables.write("one", "first", "a description")
    variables.write("one", "second", "a description")
    variables.write("two", "other", "a description")
    assert variables.read("one") == "second"
    assert set(stored()) == {"one", "two"}


def test_what_was_deleted_is_gone(stored: Stored) -> None:
    variables.write("one", "first", "")
    variables.write("two", "other", "")
    variables.delete("one")
    variables.delete("one")
    assert variables.read("one") is None
    assert set(stored()) == {"two"}


def test_what_another_process_wrote_is_read_at_once(stored: Stored, request: pytest.FixtureRequest) -> None:
    assert variables.read("one") is None, "nor is this remembered"
    variables.write("one", "first", "")
    assert variables.read("one") == "first"


def test_the_database_holds_nothing_in_clear(database: Stored) -> None:
    variables.write("one", "a-token", "")
    (text,) = database().values()
    assert "a-token" not in text


def test_what_cannot_be_decrypted_is_distinguished_from_what_is_not_there(
    database: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables.write("one", "first", "")
    other = Encryption()
    monkeypatch.setattr("airflow.models.variable.get_fernet", lambda: other)
    with pytest.raises(
        variables.UnreadableVariableError, match=r"one is there, but .* \(was the Fernet key changed\?\)"
    ):
        variables.read("one")
    variables.write("one", "second", "")
    assert variables.read("one") == "second"


def test_a_database_that_fails_is_no_empty_one(database: Stored, tmp_path: Path) -> None:
    (tmp_path / "airflow.db").write_bytes(b"")
    with pytest.raises(Exception, match="no such table: variable"):
        variables.read("one")
    with pytest.raises(Exception, match="no such table: variable"):
        variables.write("one", "first", "")
    with pytest.raises(Exception, match="no such table: variable"):
        variables.delete("one")


if AIRFLOW_V_3_0_PLUS:

    def test_a_supervisor_that_fails_is_no_empty_one(supervisor: Supervisor) -> None:
        supervisor.failing = True
        with pytest.raises(Exception, match="API_SERVER_ERROR"):
            variables.read("one")
        with pytest.raises(Exception, match="API_SERVER_ERROR"):
            variables.write("one", "first", "")
        with pytest.raises(Exception, match="API_SERVER_ERROR"):
            variables.delete("one")
