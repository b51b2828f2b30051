"""Keys on disk: a set, one by one or many at once."""

from __future__ import annotations

from airflow_provider_campaigns.delivery.plan.key_set import KeySet


def test_keys_are_a_set() -> None:
    keys = KeySet()

    keys.add("a")
    keys.add("a")

    assert "a" in keys
    assert "b" not in keys


def test_many_keys_are_added_at_once_and_those_that_were_there_are_reported() -> None:
    keys = KeySet()
    keys.add("a")

    assert keys.add_all(["a", "b", "c"]) == {"a"}
    assert keys.add_all(["c", "d"]) == {"c"}
    assert keys.add_all([]) == set()
    assert all(key in keys for key in "abcd")
