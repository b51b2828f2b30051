"""Template fields are rendered, may be text, and show no recipient."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from airflow_provider_campaigns.protocol.messages import Response
from airflow_provider_campaigns.templating.hidden_field import unwrap
from tests.delivery.world import World, phones
from tests.operators.base.acme import PEOPLE, MakeAcme
from tests.operators.contexts import MakeContext
from tests.stored_dags import stored_dag


def test_template_fields_are_rendered_and_may_be_text(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    operator = acme(
        contacts=[*PEOPLE, {"phone": "{{ params.phone }}", "name": "{{ ds }}"}],
        columns={"phone": "{{ params.column }}"},
        exclude=["{{ params.opt_out }}"],
        outcomes_path=f"{tmp_path}/{{{{ ds }}}}",
        max_recipients="{{ 5 }}",
        max_rejected="{{ 0.5 }}",
        on_unknown="{{ 'skip' }}",
        on_cleared="{{ 'resume' }}",
        campaign="spring {{ ds }}",
    )

    params = {"phone": "+447700900050", "column": "phone", "opt_out": "+447700900000"}
    operator.render_template_fields({"ds": "2026-03-01", "params": params})
    receipt = operator.execute(make_context())

    assert world.contacted == [*phones(5)[1:], "+447700900050"]
    assert receipt["campaign"] == "spring 2026-03-01"
    assert receipt["outcomes_path"] == str(tmp_path / "2026-03-01/campaigns/manual__2026-03-01/send")


@pytest.mark.parametrize(
    ("limit", "fails"), [("", False), (None, False), ("2", True), ("0.5", True), ("1.0", False), (1, True), (3, False)]
)
def test_max_rejected_is_a_number_or_a_share_also_as_text(
    world: World, acme: MakeAcme, make_context: MakeContext, limit: Any, fails: bool
) -> None:
    world.answer = lambda number, keys: Response(422, b'{"message": "no"}') if number == 1 else world.accept(keys)

    if fails:
        with pytest.raises(AirflowFailException, match=r"3 of . contacts were rejected, max_rejected is"):
            acme(max_rejected=limit).execute(make_context())
    else:
        assert acme(max_rejected=limit).execute(make_context())["rejected"] == 3


def test_every_template_field_is_an_attribute_and_no_name_of_airflows_own(acme: MakeAcme) -> None:
    operator = acme()

    assert all(hasattr(operator, name) for name in operator.template_fields)
    assert {"contacts", "columns", "exclude", "outcomes_path"} <= set(operator.template_fields)
    assert not {"params", "retries", "dry_run"} & set(vars(CampaignDeliveryOperator))


def test_recipients_are_not_in_the_stored_dag_nor_in_the_rendered_view() -> None:
    from airflow.serialization.helpers import serialize_template_field

    with DAG("campaigns", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        operator = CampaignDeliveryOperator(
            task_id="send", contacts=PEOPLE, exclude=["+447700900077"], columns={"phone": "phone"}
        )

    text = stored_dag(dag)

    assert '"5 contacts"' in text
    assert '"1 excluded contacts"' in text
    assert "4477009000" not in text
    assert serialize_template_field(operator.contacts, "contacts") == "5 contacts"
    assert unwrap(operator.contacts) == PEOPLE
