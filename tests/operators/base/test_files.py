"""Where a delivery may read and write files, and who may read what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.world import World
from tests.operators.base.acme import MakeAcme
from tests.operators.contexts import MakeContext


def test_outcomes_are_for_their_owner_alone(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    receipt = acme(outcomes_path=str(tmp_path / "outcomes")).execute(make_context())
    written = list((tmp_path / "outcomes").rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in written if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in written if path.is_dir()} == {0o700}
    assert receipt["accepted"] == 5


@pytest.mark.parametrize("field", ["contacts", "exclude", "outcomes_path"])
def test_nothing_outside_the_roots_is_read_or_written(
    field: str, tmp_path: Path, acme: MakeAcme, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root, outside):
        folder.mkdir()
        (folder / "contacts.csv").write_text("phone\n+447700900100\n")
        (folder / "exclude.csv").write_text("phone\n+447700900101\n")
    names = {"contacts": "contacts.csv", "exclude": "exclude.csv", "outcomes_path": "outcomes"}
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__CONTACTS_ROOTS", str(root))

    with pytest.raises(InputError, match=rf"^{field}: expected a path or URL below one of \[campaigns\] contacts_root"):
        acme(**{one: str((outside if one == field else root) / name) for one, name in names.items()}).execute(
            make_context()
        )
    assert not (outside / "outcomes").exists()

    receipt = acme(**{one: str(root / name) for one, name in names.items()}).execute(make_context())
    assert receipt["accepted"] == 1
