"""Contacts from upstream tasks are data in a whole Airflow, too: they reach the vendor as they were in the XCom."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration.conftest import AirflowProcess
from tests.integration.leaks import rows

NAMES = [
    "{{ 7*7 }}",
    "{{ conn.get('collect_default').password }}",
    "{% X",
    "name.sql",
    "{# c #}",
    "1_000",
    "0x10",
    "[1]",
]
PEOPLE = [{"email": f"{{{{{number}*7}}}}@example.com", "firstName": name} for number, name in enumerate(NAMES)]

# Every task sends to all of them, in a campaign of its own name; but for "exclude", which leaves out the first.
TASKS = """
from airflow.providers.common.compat.sdk import task_group

@task
def people():
    return PEOPLE

@task
def shards():
    return [PEOPLE]

@task
def more_shards():
    return [PEOPLE[::-1]]

@task
def person(row):
    return row

@task
def one(number):
    return PEOPLE[number]

@task
def kwargs(campaign):
    return {"contacts": PEOPLE, "campaign_id": campaign}

@task
def kwargs_list():
    return [{"contacts": PEOPLE, "campaign_id": "kwargs"}]

@task
def opted_out():
    return [["{{0*7}}@example.com"]]

def send(campaign, **kwargs):
    return SendCollectRequestOperator(task_id=campaign, campaign_id=campaign, **kwargs)

def mapped(task_id, **kwargs):
    return SendCollectRequestOperator.partial(task_id=task_id, **kwargs)

@task_group(group_id="tasks")
def group(contacts):
    send("group", contacts=contacts)

everybody, shard = people(), shards()
everybody.operator.dag.render_template_as_native_obj = NATIVE

send("output", contacts=everybody)
send("lazy", contacts=person.expand(row=everybody))
send("nested", contacts=[one.override(task_id=f"one_{number}")(number) for number in range(len(PEOPLE))])
everybody >> send("json", contacts="{{ ti.xcom_pull(task_ids='people') | tojson }}")
mapped("partial", contacts=everybody).expand(campaign_id=["partial"])
mapped("expand", campaign_id="expand").expand(contacts=shard)
mapped("outputs", campaign_id="outputs").expand(contacts=[everybody])
mapped("map", campaign_id="map").expand(contacts=shard.map(lambda rows: [*rows]))
mapped("zip", campaign_id="zip").expand(contacts=shard.zip(shard).map(lambda pair: pair[1]))
mapped("concat", campaign_id="concat").expand(contacts=shard.concat(more_shards()))
mapped("kwargs").expand_kwargs(kwargs_list())
mapped("kwargs_of_an_output").expand_kwargs([kwargs("kwargs_of_an_output")])
mapped("kwargs_of_a_dict").expand_kwargs([{"contacts": everybody, "campaign_id": "kwargs_of_a_dict"}])
mapped("kwargs_of_map").expand_kwargs(shard.map(lambda rows: {"contacts": rows, "campaign_id": "kwargs_of_map"}))
mapped("exclude", campaign_id="exclude", contacts=everybody).expand(exclude=opted_out())
group.expand(contacts=shard)
""".replace("PEOPLE", repr(PEOPLE))

CAMPAIGNS = {
    "lazy",
    "nested",
    "json",
    "partial",
    "expand",
    "outputs",
    "map",
    "zip",
    "concat",
    "group",
    "exclude",
    "output",
}
CAMPAIGNS |= {"kwargs", "kwargs_of_an_output", "kwargs_of_a_dict", "kwargs_of_map"}


@pytest.mark.parametrize("native", [False, True])
def test_contacts_arrive_as_they_were(airflow: AirflowProcess, sandbox: SandboxClient, native: bool) -> None:
    run = airflow.run(TASKS.replace("NATIVE", str(native)))

    assert {task.task_id: task.state for task in run.tasks if task.state != "success"} == {}
    received = defaultdict(set)
    for contact in sandbox.received("collect")["contacts"]:
        received[contact["campaign"]].add((contact["contact"], contact["fields"]["firstName"]))
    everybody = {(person["email"], person["firstName"]) for person in PEOPLE}
    first = (PEOPLE[0]["email"], PEOPLE[0]["firstName"])
    assert received == dict.fromkeys(CAMPAIGNS, everybody) | {"exclude": everybody - {first}}
    rendered = [
        json.loads(row["rendered_fields"]) for _, row in rows(airflow.home / "airflow.db") if "rendered_fields" in row
    ]
    shown = {fields["campaign_id"]: fields["contacts"] for fields in rendered if fields.get("campaign_id") in CAMPAIGNS}
    # JSON text is not counted.
    assert shown == dict.fromkeys(CAMPAIGNS, "8 contacts") | {"json": "contacts"}
