"""The trigger of asset watchers in a DAG: what Airflow stores of it, and what is refused when the DAG is parsed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.exceptions import CampaignError, InputError
from airflow_provider_campaigns.triggers.exotel import ExotelCampaignFinishedTrigger
from tests.stored_dags import stored_dag
from tests.triggering import stored

if not AIRFLOW_V_3_0_PLUS:

    def test_it_says_that_airflow_2_has_no_asset_watchers() -> None:
        with pytest.raises(CampaignError, match="asset watchers begin there"):
            ExotelCampaignFinishedTrigger()


if AIRFLOW_V_3_0_PLUS:

    def test_it_comes_out_of_airflows_table_as_it_went_in_and_holds_no_secret() -> None:
        given: dict[str, Any] = {"exotel_conn_id": "exotel_in", "name": "Renewals *"}
        given |= {"poll_interval": 30, "lookback_days": 90}
        one = ExotelCampaignFinishedTrigger(**given)
        assert one.serialize() == ("airflow_provider_campaigns.triggers.exotel.ExotelCampaignFinishedTrigger", given)
        assert stored(one) == one.serialize()

    def test_airflow_recognizes_it_when_it_parses_the_dag_again() -> None:
        from airflow.triggers.base import BaseEventTrigger

        one = ExotelCampaignFinishedTrigger(name="Renewals *")
        assert BaseEventTrigger.hash(*stored(one)) == BaseEventTrigger.hash(*one.serialize())

    def test_a_dag_may_be_scheduled_by_it() -> None:
        from airflow.sdk import DAG, Asset, AssetWatcher

        trigger = ExotelCampaignFinishedTrigger(name="Renewals *")
        asset = Asset("finished", watchers=[AssetWatcher(name="watcher", trigger=trigger)])
        with DAG("follow_up", schedule=[asset], start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            pass
        assert "ExotelCampaignFinishedTrigger" in stored_dag(dag)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"poll_interval": 0}, "poll_interval: expected a number above 0"),
            ({"poll_interval": "60"}, "poll_interval: expected a number above 0"),
            ({"lookback_days": -1}, "lookback_days: expected a number above 0"),
            ({"name": {"a"}}, "name: expected what JSON knows"),
        ],
    )
    def test_what_cannot_be_used_is_refused_when_the_dag_is_parsed(options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            ExotelCampaignFinishedTrigger(**options)
