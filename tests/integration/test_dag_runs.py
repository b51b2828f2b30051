"""What a DAG author sees: retries, mapping, upstream outputs, templates and sensors, run by Airflow itself."""

from __future__ import annotations

import csv
import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.record.outcome import STATUSES
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration.conftest import AirflowProcess
from tests.versions import AIRFLOW_V_3_3_PLUS

# -- who was contacted, and how often

PHONES = [f"+4477009000{number:02}" for number in range(8)]
EMAILS = [f"contact{number}@example.com" for number in range(8)]

# vendor, path of the call that sends, the contacts' keys, the operator; one contact per call, one call at a time.
SENDS = {
    "ozonetel": (
        "AddCampaignData",
        PHONES,
        """AddCampaignLeadOperator(campaign_name="Demo", check_duplicate=False,
            contacts=[{{"phoneNumber": key}} for key in {keys}], {common})""",
    ),
    "xebo": (
        "collectors",
        EMAILS,
        """TriggerSurveyOperator(collector_id="5f3b6f0e8c1d2a4b9e7f6a5c", medium="email",
            collector_token="example-collector-token",
            contacts=[{{"email": key}} for key in {keys}], {common})""",
    ),
    "xtremepush": (
        "execute",
        EMAILS,
        """ExecuteXtremepushCampaignOperator(campaign_id="7", target_by="email",
            contacts=[{{"email": key}} for key in {keys}], {common})""",
    ),
    "collect": (
        "request",
        EMAILS,
        """SendCollectRequestOperator(campaign_id="KYC",
            contacts=[{{"email": key}} for key in {keys}], {common})""",
    ),
}
# One signs in with each request, the other has a token that ends.
TWO_VENDORS = ("ozonetel", "xebo")
OTHER_VENDORS = sorted(SENDS.keys() - TWO_VENDORS)
COMMON = 'task_id="send", retries=2, batch_size=1, max_concurrency=1, on_unknown="skip"'


def source(vendor: str, common: str = COMMON) -> str:
    _, keys, operator = SENDS[vendor]
    return operator.format(keys=keys, common=common)


def accepted(sandbox: SandboxClient, vendor: str) -> Counter[str]:
    contacts = sandbox.received(vendor)["contacts"]
    return Counter(contact["contact"] for contact in contacts if contact["outcome"] == "accepted")


@pytest.mark.parametrize(
    ("vendor", "fault"), [*product(TWO_VENDORS, ["drop", "500"]), *product(OTHER_VENDORS, ["drop"])]
)
def test_a_retry_sends_the_rest_and_nobody_twice(
    airflow: AirflowProcess, sandbox: SandboxClient, vendor: str, fault: str
) -> None:
    path, keys, _ = SENDS[vendor]
    # The vendor falls ill after three contacts; after two unanswered ones the first try stops.
    sandbox.fault(fault, vendor=vendor, path=path, skip=3, times=2)

    send = airflow.run(source(vendor))["send"]

    assert (send.state, send.try_number) == ("success", 2)
    status = {outcome["key"]: outcome["status"] for outcome in send.xcoms["outcomes"]}
    assert status == {key: "unknown" if number in {3, 4} else "accepted" for number, key in enumerate(keys)}
    reached = keys if fault == "drop" else [key for key in keys if status[key] == "accepted"]
    assert accepted(sandbox, vendor) == Counter(reached)


@pytest.mark.parametrize("vendor", TWO_VENDORS)
def test_a_retry_after_a_refusal_half_way_leaves_nobody_out(
    airflow: AirflowProcess, sandbox: SandboxClient, vendor: str
) -> None:
    path, keys, _ = SENDS[vendor]
    # Struck twice: those who sign in do so once more before they give up.
    sandbox.fault("unauthorized", vendor=vendor, path=path, skip=3, times=2)

    send = airflow.run(source(vendor))["send"]

    assert (send.state, send.xcoms["receipt"]["accepted"]) == ("success", len(keys))
    assert send.try_number > 1
    assert accepted(sandbox, vendor) == Counter(keys)


@pytest.mark.parametrize(("fault", "duplicate"), [("drop", 1), ("500", 0)])
def test_ozonetel_checks_for_duplicates_so_an_unanswered_lead_is_sent_again(
    airflow: AirflowProcess, sandbox: SandboxClient, fault: str, duplicate: int
) -> None:
    sandbox.fault(fault, vendor="ozonetel", path="AddCampaignData", skip=3)

    send = airflow.run(source("ozonetel").replace("check_duplicate=False", "check_duplicate=True"))["send"]

    assert (send.state, send.try_number) == ("success", 1)
    receipt = send.xcoms["receipt"]
    # The vendor does not say who added a number that it has.
    assert (receipt["accepted"], receipt["duplicate"]) == (len(PHONES) - duplicate, duplicate)
    assert accepted(sandbox, "ozonetel") == Counter(PHONES)


# A window that opens a second after its clock is first read, which is kept for the process that continues.
WINDOW = """
import time
from pathlib import Path

from airflow_provider_campaigns.operators.base.send_window import SendWindow

class Clock(SendWindow):
    @staticmethod
    def now():
        first = Path({first!r})
        if not first.exists():
            first.touch()
        passed = timedelta(seconds=time.time() - first.stat().st_mtime)
        return datetime(2026, 3, 2, 8, 59, 59, tzinfo=timezone.utc) + passed

window = Clock(datetime(2026, 1, 1, 9).time(), datetime(2026, 1, 1, 17).time(), "UTC")
"""


def test_a_task_waits_for_its_window(airflow: AirflowProcess, sandbox: SandboxClient, tmp_path: Path) -> None:
    before = len(airflow.output())

    window = WINDOW.format(first=str(tmp_path / "first"))
    run = airflow.run(window + source("ozonetel", f"{COMMON}, send_window=window"))

    assert "It is outside send_window" in airflow.output()[before:]
    assert run["send"].xcoms["receipt"]["accepted"] == len(PHONES)


def test_a_campaign_waits_for_its_window_and_then_for_its_end(
    airflow: AirflowProcess, sandbox: SandboxClient, tmp_path: Path
) -> None:
    sandbox.control("exotel", starts_after=0.6, calls_per_minute=60_000.0)
    create = f"""
CreateExotelCampaignOperator(task_id="create", name="Reminder", caller_id="+442079460000", read_via_text="Hello",
    numbers={PHONES}, wait_for_completion=True, poke_interval=0.2, timeout=60, mode="reschedule", send_window=window)
"""

    before = len(airflow.output())
    run = airflow.run(WINDOW.format(first=str(tmp_path / "first")) + create)["create"]

    assert "It is outside send_window" in airflow.output()[before:]
    assert (run.state, run.xcoms["return_value"]["status"]) == ("success", "Completed")
    assert accepted(sandbox, "exotel") == Counter(PHONES)


@pytest.mark.parametrize("vendor", TWO_VENDORS)
def test_unknown_contacts_fail_the_task_for_good(airflow: AirflowProcess, sandbox: SandboxClient, vendor: str) -> None:
    path, keys, _ = SENDS[vendor]
    sandbox.fault("drop", vendor=vendor, path=path, skip=3)

    send = airflow.run(source(vendor, COMMON.replace("skip", "fail")))["send"]

    assert (send.state, send.try_number) == ("failed", 1)
    counts = {status: send.xcoms["receipt"][status] for status in STATUSES if send.xcoms["receipt"][status]}
    assert counts == {"accepted": 7, "unknown": 1}
    assert accepted(sandbox, vendor) == Counter(keys)


def test_an_exotel_campaign_whose_reply_was_lost_is_found_again(
    airflow: AirflowProcess, sandbox: SandboxClient
) -> None:
    sandbox.fault("drop", vendor="exotel", method="POST")

    create = airflow.run(f"""
CreateExotelCampaignOperator(task_id="create", name="Reminder", caller_id="+442079460000",
    read_via_text="Hello", numbers={PHONES}, retries=2)
""")["create"]

    assert create.state == "success"
    assert create.xcoms["return_value"]["from"] == len(PHONES)
    assert accepted(sandbox, "exotel") == Counter(PHONES)


def test_an_exotel_campaign_that_failed_is_not_created_again(airflow: AirflowProcess, sandbox: SandboxClient) -> None:
    sandbox.control("exotel", starts_after=0.0, calls_per_minute=60_000.0)

    create = airflow.run("""
CreateExotelCampaignOperator(task_id="create", name="Reminder", caller_id="+442079460000", read_via_text="Hello",
    numbers=["+447700900993"], retries=2, wait_for_completion=True, poke_interval=0.1)
""")["create"]

    assert create.state == "failed"
    assert accepted(sandbox, "exotel") == Counter(["+447700900993"])


# -- the ways into an operator


def test_how_far_a_delivery_came_is_in_the_ui(airflow: AirflowProcess, sandbox: SandboxClient) -> None:
    send = airflow.run(source("ozonetel"))["send"]

    if AIRFLOW_V_3_3_PLUS:
        with closing(sqlite3.connect(airflow.home / "airflow.db")) as database:
            (value,) = database.execute(
                "SELECT value FROM task_state_store WHERE key = 'progress' ORDER BY updated_at DESC"
            ).fetchone()
        note = json.loads(value)
    else:
        note = send.xcoms["progress"]
    assert (note["contacts"], note["done"], note["accepted"]) == (len(PHONES),) * 3


def test_mapped_tasks_keep_their_contacts_apart(airflow: AirflowProcess, sandbox: SandboxClient) -> None:
    sandbox.fault("unauthorized", vendor="ozonetel", path="AddCampaignData", skip=3, times=2)

    run = airflow.run(f"""
@task
def shards():
    return [[{{"phoneNumber": key}} for key in {PHONES}[first::3]] for first in range(3)]

AddCampaignLeadOperator.partial(task_id="send", campaign_name="Demo", retries=2, max_concurrency=1).expand(
    contacts=shards())
""")

    sends = {task.map_index: task for task in run.tasks if task.task_id == "send"}
    assert {index: send.state for index, send in sends.items()} == dict.fromkeys(range(3), "success")
    assert {index: [line["key"] for line in send.xcoms["outcomes"]] for index, send in sends.items()} == {
        first: PHONES[first::3] for first in range(3)
    }
    assert accepted(sandbox, "ozonetel") == Counter(PHONES)


def test_mapped_over_campaigns(airflow: AirflowProcess, sandbox: SandboxClient) -> None:
    run = airflow.run(f"""
AddCampaignLeadOperator.partial(task_id="send", contacts=[{{"phoneNumber": {PHONES[0]!r}}}]).expand(
    campaign_name=["Morning", "Evening"])
""")

    assert run.state == "success"
    assert {contact["campaign"] for contact in sandbox.received("ozonetel")["contacts"]} == {"Morning", "Evening"}


def test_contacts_from_an_upstream_task(airflow: AirflowProcess, sandbox: SandboxClient) -> None:
    run = airflow.run(f"""
@task
def people():
    return [{{"email": key}} for key in {EMAILS}]

@task
def opted_out():
    return {EMAILS[:2]}

everybody = people()
SendCollectRequestOperator(task_id="output", campaign_id="Output", contacts=everybody, exclude=opted_out())
everybody >> SendCollectRequestOperator(task_id="template", campaign_id="Template",
    contacts="{{{{ ti.xcom_pull(task_ids='people') | tojson }}}}")
""")

    assert run.state == "success"
    assert run["output"].xcoms["receipt"] | {"accepted": 6, "invalid": 2} == run["output"].xcoms["receipt"]
    assert run["template"].xcoms["receipt"]["accepted"] == len(EMAILS)
    received = Counter((contact["campaign"], contact["contact"]) for contact in sandbox.received("collect")["contacts"])
    expected = [("Output", key) for key in EMAILS[2:]] + [("Template", key) for key in EMAILS]
    assert received == Counter(expected)


def test_parameters_are_templates(airflow: AirflowProcess, sandbox: SandboxClient, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    with people.open("w", newline="") as file:
        csv.writer(file).writerows([["Phone"], *([key] for key in PHONES)])

    run = airflow.run(f"""
AddCampaignLeadOperator(
    task_id="send",
    campaign_name="{{{{ task.task_id }}}}-{{{{ 1 + 1 }}}}",
    contacts="{tmp_path}/{{{{ 'people' }}}}.csv",
    columns={{"phoneNumber": "{{{{ 'Phone' }}}}"}},
    exclude=["{{{{ '{PHONES[0]}' }}}}"],
    outcomes_path="{tmp_path}/{{{{ dag.dag_id }}}}",
    ozonetel_conn_id="{{{{ 'ozonetel' }}}}_default",
)
""")

    receipt = run["send"].xcoms["return_value"]
    assert receipt["campaign"] == "send-2"
    assert receipt["outcomes_path"].startswith(f"{tmp_path}/{run.dag_id}/{run.dag_id}/")
    assert [line["status"] for line in read_outcomes(receipt["outcomes_path"])] == ["invalid", *["accepted"] * 7]
    assert {contact["campaign"] for contact in sandbox.received("ozonetel")["contacts"]} == {"send-2"}


def test_literal_contacts_are_templates_too(airflow: AirflowProcess, sandbox: SandboxClient) -> None:
    airflow.run(f"""
AddCampaignLeadOperator(task_id="send", campaign_name="Demo",
    contacts=[{{"phoneNumber": {PHONES[0]!r}, "Name": "{{{{ task.task_id }}}}"}}])
""")

    (contact,) = sandbox.received("ozonetel")["contacts"]
    assert contact["fields"]["Name"] == "send"


def test_a_decorated_function_delivers_in_its_own_task(
    airflow: AirflowProcess, sandbox: SandboxClient, tmp_path: Path
) -> None:
    run = airflow.run(f"""
@task
def regions():
    return ["north", "south"]

@task.add_campaign_leads(campaign_name="{{{{ dag.dag_id }}}}", outcomes_path="{tmp_path}")
def leads(region, numbers, ti=None):
    for number in {{"north": numbers[:1], "south": numbers[1:]}}.get(region, numbers):
        yield {{"phoneNumber": number, "Name": "{{{{ 7 * 7 }}}}", "Region": region, "Task": ti.task_id}}

@task
def numbers():
    return {PHONES[:2]}

leads("all", numbers())
leads.override(task_id="mapped", campaign_name="Mapped").partial(numbers={PHONES[2:4]}).expand(region=regions())
""")

    assert run.state == "success"
    fields = [(contact["campaign"], contact["fields"]) for contact in sandbox.received("ozonetel")["contacts"]]
    assert sorted((campaign, one["phoneNumber"], one["Region"], one["Task"]) for campaign, one in fields) == [
        ("Mapped", PHONES[2], "north", "mapped"),
        ("Mapped", PHONES[3], "south", "mapped"),
        *((run.dag_id, number, "all", "leads") for number in PHONES[:2]),
    ]
    assert {one["Name"] for _, one in fields} == {"{{ 7 * 7 }}"}
    sends = [task for task in run.tasks if task.task_id in {"leads", "mapped"}]
    assert not any(number in json.dumps(task.xcoms) for task in sends for number in PHONES)


def test_a_receipt_leads_to_what_was_sent(airflow: AirflowProcess, sandbox: SandboxClient, tmp_path: Path) -> None:
    sandbox.control("collect", completes_after=SECONDS)

    run = airflow.run(f"""
@task
def sent(receipt):
    from airflow_provider_campaigns.delivery import read_outcomes
    return [[line["key"], line["vendor_id"]] for line in read_outcomes(receipt, "accepted")]

for name, folder in [("xcom", None), ("folder", "{tmp_path}")]:
    send = SendCollectRequestOperator(task_id=name, campaign_id=name, outcomes_path=folder,
        contacts=[{{"email": key}} for key in {EMAILS[:2]}])
    sent.override(task_id=f"sent_{{name}}")(send.output)
    CollectRequestSensor(task_id=f"wait_{{name}}", receipt=send.output, poke_interval=0.2, timeout=60)
mapped = SendCollectRequestOperator.partial(task_id="mapped", campaign_id="mapped").expand(
    contacts=[[{{"email": key}}] for key in {EMAILS[:2]}])
CollectRequestSensor(task_id="wait_mapped", receipt=mapped.output, poke_interval=0.2, timeout=60)
""")

    assert run.state == "success"
    for name in ("xcom", "folder"):
        ids = run[name].xcoms["return_value"]["request_ids"]
        assert run[f"sent_{name}"].xcoms["return_value"] == [[EMAILS[0], ids[0]], [EMAILS[1], ids[1]]]
        assert run[f"wait_{name}"].xcoms["return_value"]["requests"] == dict.fromkeys(ids, "completed")
    assert run["wait_mapped"].xcoms["return_value"]["status"] == "2 completed"


# -- sensors

# Settings of the sandbox under which a campaign is over this many seconds after it began, and what begins it.
SECONDS = 0.6
WAITS: dict[str, tuple[dict[str, Any], str, str]] = {
    "ozonetel": (
        {"seconds_per_lead": SECONDS},
        f"""AddCampaignLeadOperator(task_id="begin", campaign_name="Demo", action="START",
            contacts=[{{"phoneNumber": "{PHONES[0]}"}}])""",
        'OzonetelCampaignSensor(campaign_name="Demo", {common})',
    ),
    "xebo": (
        {"response_after": SECONDS},
        f"""TriggerSurveyOperator(task_id="begin", collector_id="5f3b6f0e8c1d2a4b9e7f6a5c",
            collector_token="example-collector-token",
            contacts=[{{"email": key}} for key in {EMAILS[:2]}])""",
        'XeboResponsesSensor(survey_id="survey", minimum_responses=2, {common})',
    ),
    "collect": (
        {"completes_after": SECONDS},
        f"""SendCollectRequestOperator(task_id="begin", campaign_id="KYC", contacts=[{{"email": "{EMAILS[0]}"}}])""",
        """CollectRequestSensor(
            request_id="{{{{ ti.xcom_pull(task_ids='begin', key='outcomes')[0]['vendor_id'] }}}}", {common})""",
    ),
    "xtremepush": (
        {"campaign": "7", "live_in": SECONDS},
        'task(task_id="begin")(lambda: None)()',
        'XtremepushCampaignSensor(campaign_id="7", {common})',
    ),
    "exotel": (
        {"starts_after": SECONDS, "calls_per_minute": 60_000.0},
        f"""CreateExotelCampaignOperator(task_id="begin", name="Reminder", caller_id="+442079460000",
            read_via_text="Hello", numbers=["{PHONES[0]}"])""",
        """ExotelCampaignSensor(campaign_id="{{{{ ti.xcom_pull('begin', key='campaign_id') }}}}", {common})""",
    ),
}
MODES = {
    "poke": "poke_interval=0.2",
    "reschedule": 'poke_interval=0.2, mode="reschedule"',
    "deferrable": "poke_interval=0.2, deferrable=True",
}


def wait(vendor: str, mode: str) -> str:
    _, begin, sensor = WAITS[vendor]
    common = f'task_id="wait", timeout=60, {MODES[mode]}'
    return f"{begin} >> {sensor.format(common=common)}"


@pytest.mark.parametrize(
    ("vendor", "mode"),
    [*product(TWO_VENDORS, MODES), *product(sorted(WAITS.keys() - TWO_VENDORS), ["deferrable"])],
)
def test_a_sensor_waits_for_the_end(airflow: AirflowProcess, sandbox: SandboxClient, vendor: str, mode: str) -> None:
    sandbox.control(vendor, **WAITS[vendor][0])

    started = time.monotonic()
    run = airflow.run(wait(vendor, mode))

    assert run["wait"].state == "success"
    assert run["wait"].try_number == 1
    assert time.monotonic() - started > SECONDS


@pytest.mark.parametrize("mode", MODES)
def test_a_sensor_counts_the_looks_that_fail(airflow: AirflowProcess, sandbox: SandboxClient, mode: str) -> None:
    sandbox.fault("500", vendor="xtremepush", times=-1)

    run = airflow.run(wait("xtremepush", mode).replace("timeout=60", "timeout=60, max_poll_failures=2, retries=1"))

    assert (run["wait"].state, run["wait"].try_number) == ("failed", 2)
    assert sandbox.received("xtremepush")["counts"]["xtremepush"]["requests"] == 2 * 3


@pytest.mark.parametrize("mode", MODES)
def test_a_sensor_ends_at_its_deadline_and_no_retry_puts_that_off(
    airflow: AirflowProcess, sandbox: SandboxClient, mode: str
) -> None:
    sandbox.control("xtremepush", campaign="7", active=0)

    run = airflow.run(wait("xtremepush", mode).replace("timeout=60", "timeout=1, retries=1"))

    assert (run["wait"].state, run["wait"].try_number) == ("failed", 1)


@pytest.mark.parametrize(
    ("vendor", "healthy", "ill", "mode"),
    [
        *(("exotel", PHONES[0], "+447700900993", mode) for mode in MODES),
        ("collect", EMAILS[0], "error@example.com", "deferrable"),
    ],
)
def test_a_sensor_fails_for_good_with_its_campaign(
    *, airflow: AirflowProcess, sandbox: SandboxClient, vendor: str, healthy: str, ill: str, mode: str
) -> None:
    sandbox.control(vendor, **WAITS[vendor][0])

    run = airflow.run(wait(vendor, mode).replace(healthy, ill).replace("timeout=60", "timeout=60, retries=2"))

    assert run["wait"].state == "failed"
    assert run["wait"].try_number == 1
