"""
Contract tests that any vendor must pass: nobody is contacted twice, nobody is lost.

Subclass ``VendorContract`` in your tests, and give it your vendor's hook, an operator, contacts, and a test server that
records whom it contacted. What it checks:

- the connection type is declared, its form is there, and the Test button contacts nobody;
- a delivery contacts everybody once, and reports each contact once;
- whatever happens to a request (``FAULTS``), nobody is contacted twice and nobody is lost, over all tries;
- a task that dies at any write of its record is resumed by the next try, with the same result;
- credentials that a vendor repeats are in no exception, outcome, receipt or log line.
"""

from __future__ import annotations

import json
import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.operators.base import CampaignDeliveryOperator
from airflow_provider_campaigns.protocol import retry
from airflow_provider_campaigns.state import task_state
from airflow_provider_campaigns.testing.fault_proxy import FAULTS, Fault, FaultProxy, as_connection

MOST_TRIES = 8


class Died(BaseException):
    """The process of a task died, as far as the test is concerned."""


@dataclass
class _TaskInstance:
    """What an operator reads of Airflow's task instance."""

    try_number: int = 1
    max_tries: int = MOST_TRIES
    dag_id: str = "contract"
    run_id: str = "manual__2026-03-01"
    task_id: str = "send"
    map_index: int = -1
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = json.loads(json.dumps(value))


@dataclass
class _Store:
    """The durable state of a task instance, and the write at which its process dies."""

    values: dict[str, str] = field(default_factory=dict)
    writes: int = 0
    dies_at: int | None = None
    fenced: bool = False

    def get(self, key: str) -> Any:
        return json.loads(self.values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        self.writes += 1
        if self.writes == self.dies_at:
            raise Died
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


class VendorContract:
    """Contract tests of one vendor; see the module for what they check."""

    hook_class: ClassVar[type[CampaignHook]]
    """The vendor's hook."""
    contacts: ClassVar[Sequence[Mapping[str, Any]]]
    """Five contacts or more, all different, that the vendor takes."""
    batch_size: ClassVar[int] = 2
    """Contacts per request, if the vendor's call takes as many; small, so that there are several requests."""

    @pytest.fixture
    @abstractmethod
    def vendor(self) -> Any:
        """Return the vendor's sandbox: empty, running, whatever the other methods need."""

    @abstractmethod
    def url(self, vendor: Any) -> str:
        """Return the sandbox's address."""

    @abstractmethod
    def connection(self, url: str) -> Mapping[str, Any]:
        """Return the fields of a connection to the vendor at ``url`` (``conn_type``, ``host``, ``password`` …)."""

    @abstractmethod
    def is_send(self, method: str, path: str) -> bool:
        """Return whether a request contacts people."""

    @abstractmethod
    def operator(self, **parameters: Any) -> CampaignDeliveryOperator:
        """Return the vendor's operator with these parameters (``task_id``, ``contacts``, ``batch_size`` …)."""

    @abstractmethod
    def contacted(self, vendor: Any) -> Sequence[str]:
        """Return the key of each contact that the vendor contacted, as often as it did."""

    @pytest.fixture
    def proxy(self, vendor: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
        """The way to the sandbox; the hook's default connection leads through it, and waits are none."""
        monkeypatch.setattr(retry, "FIRST_BACKOFF", 0)
        monkeypatch.setattr(retry, "BACKOFF_JITTER", 0)
        with FaultProxy(self.url(vendor), self.is_send) as proxy:
            fields = _with_extras(self.connection(proxy.url), {"requests_per_minute": 60_000, "timeout": 10})
            monkeypatch.setenv(f"AIRFLOW_CONN_{self.hook_class.default_conn_name.upper()}", as_connection(fields))
            yield proxy

    @pytest.fixture
    def tries(self, tmp_path: Path, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> _Tries:
        """The tries of one task."""
        return _Tries(self, tmp_path, monkeypatch)

    def _hook(self) -> CampaignHook:
        return self.hook_class(self.hook_class.default_conn_name)

    # --- connection

    def test_the_connection_type_is_declared(self) -> None:
        """Provider info has it, with the extra fields that all vendors share."""
        declared = self.hook_class.connection_type()
        assert declared["connection-type"] == self.hook_class.conn_type
        assert declared["hook-class-name"].rpartition(".")[2] == self.hook_class.__name__
        assert {"timeout", "retry_limit", "requests_per_minute", "only_recipients"} <= declared["conn-fields"].keys()
        assert "relabeling" in self.hook_class.get_ui_field_behaviour()

    def test_the_test_button_contacts_nobody(self, vendor: Any, proxy: FaultProxy) -> None:
        """It proves the credentials by a call that only reads."""
        works, message = self._hook().test_connection()
        assert works, message
        assert (proxy.sends, list(self.contacted(vendor))) == (0, [])

    # --- deliveries

    def test_everybody_is_contacted_once(self, vendor: Any, tries: _Tries) -> None:
        """Nothing goes wrong."""
        receipt = tries.until_it_ends()
        assert receipt["accepted"] == receipt["contacts"] == len(self.contacts)
        tries.check(vendor)

    def test_a_second_try_contacts_nobody_again(self, vendor: Any, tries: _Tries) -> None:
        """A complete delivery returns the same receipt."""
        receipt = tries.until_it_ends()
        assert tries.until_it_ends() == receipt
        tries.check(vendor)

    @pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
    @pytest.mark.parametrize("sent_before", [0, 1], ids=["first request", "second request"])
    def test_whatever_becomes_of_a_request(
        self, vendor: Any, proxy: FaultProxy, tries: _Tries, fault: Fault, sent_before: int
    ) -> None:
        """Refused, lost on the way, or carried out without a reply that says so."""
        proxy.plan(*[None] * sent_before, fault)
        receipt = tries.until_it_ends()
        tries.check(vendor)
        if fault.refused:
            assert receipt["accepted"] == len(self.contacts)

    def test_a_task_that_dies_is_resumed(self, vendor: Any, tries: _Tries) -> None:
        """At each write in turn, in one delivery: every process dies one write later than the one before."""
        for write in range(1, MOST_TRIES):
            with tries.dying_at(write):
                tries.once()
        tries.until_it_ends()
        tries.check(vendor)

    def test_a_row_that_cannot_be_sent_stops_no_other(self, vendor: Any, tries: _Tries) -> None:
        """It is ``invalid``; half of a surrogate pair can be sent by nobody."""
        broken = dict.fromkeys(self.contacts[0], "\ud800")
        receipt = tries.until_it_ends(contacts=[*self.contacts, broken])
        assert (receipt["accepted"], receipt["invalid"]) == (len(self.contacts), 1)
        assert sorted(self.contacted(vendor)) == sorted(set(self.contacted(vendor)))

    # --- secrets

    def test_credentials_that_a_vendor_repeats_are_hidden(
        self, proxy: FaultProxy, tries: _Tries, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As they are, and percent-encoded, in a message and in a code."""
        caplog.set_level(logging.DEBUG)
        secrets = self._hook().secrets
        assert secrets, "the dialect names no secret field (repr=False)"
        forms = [form for secret in secrets for form in (secret, quote(secret, safe=""))]
        body = json.dumps({"message": f"You sent {' '.join(forms)}", "code": secrets[0]})
        proxy.plan(Fault("an echo", forwarded=False, status=400, body=body))
        seen = [str(tries.until_it_ends()), caplog.text, *map(str, tries.errors), *map(str, tries.outcomes())]
        assert not [form for form in forms if any(form in text for text in seen)]


def _with_extras(fields: Mapping[str, Any], extras: Mapping[str, Any]) -> dict[str, Any]:
    """Return a connection's fields with these extras, unless it has them."""
    own = fields.get("extra") or {}
    return {**fields, "extra": {**extras, **(json.loads(own) if isinstance(own, str) else own)}}


class _Tries:
    """
    The tries of one task instance.

    :param contract: the vendor.
    :param folder: where the outcomes go.
    """

    def __init__(self, contract: VendorContract, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._contract = contract
        self._folder = folder / "outcomes"
        self._store = _Store()
        self._number = 0
        self.errors: list[BaseException] = []
        monkeypatch.setattr(task_state, "task_state", lambda context: self._store)

    @contextmanager
    def dying_at(self, write: int) -> Iterator[None]:
        """Let the process die at so many writes from now."""
        self._store.dies_at = self._store.writes + write
        yield
        self._store.dies_at = None

    def once(self, **parameters: Any) -> dict[str, Any] | None:
        """Try once, and return the receipt, None when the try failed."""
        self._number += 1
        ti = _TaskInstance(self._number)
        given = {"contacts": list(self._contract.contacts), **parameters}
        task = self._contract.operator(task_id=ti.task_id, retries=MOST_TRIES, outcomes_path=str(self._folder), **given)
        try:
            task.batch_size = min(self._contract.batch_size, task.make_send().batch_limit)
            return dict(task.execute({"ti": ti}))  # type: ignore[typeddict-item, unused-ignore]
        except (Exception, Died) as error:  # noqa: BLE001 - whatever it is, Airflow would try again
            self.errors.append(error)
            receipt: dict[str, Any] | None = ti.pushed.get("receipt")
            return receipt if receipt and not receipt["unsent"] else None

    def until_it_ends(self, **parameters: Any) -> dict[str, Any]:
        """Try until there is a receipt of a delivery that left nobody unsent."""
        for _ in range(MOST_TRIES):
            if receipt := self.once(**parameters):
                return receipt
        raise AssertionError(f"after {MOST_TRIES} tries contacts are still unsent; the last error: {self.errors[-1]!r}")

    def outcomes(self) -> list[Any]:
        """Return the outcomes of all tries."""
        (folder,) = {path.parent for path in self._folder.rglob("part-*.jsonl")}
        return list(read_outcomes(folder))

    def check(self, vendor: Any) -> None:
        """Nobody was contacted twice, nobody is lost, and no outcome is untrue."""
        times = Counter(self._contract.contacted(vendor))
        assert not [key for key, number in times.items() if number > 1], f"contacted more than once: {times}"
        outcomes = self.outcomes()
        assert [line["row"] for line in outcomes] == list(range(1, len(self._contract.contacts) + 1))
        for line in outcomes:
            reached = times[line["key"]] > 0
            allowed = {"accepted", "duplicate", "unknown"} if reached else {"unknown", "rejected"}
            assert line["status"] in allowed, f"{line} but the vendor contacted it {times[line['key']]} times"
