"""Airflow cannot be reached while a campaign is created: the task waits, and never creates a second one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.operators.contexts import MakeContext
from tests.operators.exotel.campaigns import campaigns, create, posts

pytestmark = pytest.mark.usefixtures("short_waits")


class Outage:
    """
    An Airflow that cannot be reached.

    :param begins: after so many calls that store something.
    :param lasts: so many attempts.
    """

    def __init__(self, context: Any, begins: int, lasts: float) -> None:
        self.begins, self.lasts = begins, lasts
        for where, name in ((context["task_state_store"], "set"), (context["ti"], "xcom_push")):
            setattr(where, name, self.failing(getattr(where, name)))

    def failing(self, do: Any) -> Any:
        def attempt(*arguments: Any, **options: Any) -> Any:
            self.begins -= 1
            if self.begins < 0 < self.lasts:
                self.lasts -= 1
                raise OperationalError("UPDATE", None, Exception("server closed the connection unexpectedly"))
            return do(*arguments, **options)

        return attempt


@pytest.mark.parametrize("begins", range(9))
def test_an_outage_is_waited_for(sandbox: SandboxClient, make_context: MakeContext, begins: int) -> None:
    context = make_context()
    outage = Outage(context, begins, lasts=5)
    campaign = create().execute(context)
    assert (outage.lasts, posts(sandbox)) == (0, 1)
    assert context["ti"].pushed["campaign_id"] == campaign["id"]


@pytest.mark.parametrize("begins", range(9))
def test_after_one_that_is_too_long_a_retry_creates_no_second_one(
    sandbox: SandboxClient, make_context: MakeContext, begins: int
) -> None:
    state: dict[str, str] = {}
    context = make_context(state=state)
    Outage(context, begins, lasts=float("inf"))
    with pytest.raises(OperationalError):
        create(max_outage=0).execute(context)
    campaign = create().execute(make_context(2, 1, state=state))
    assert [campaign["id"]] == [one["id"] for one in campaigns(sandbox)]
    assert posts(sandbox) == 1


def test_a_wrong_time_is_refused() -> None:
    with pytest.raises(InputError, match="max_outage"):
        create(max_outage=-1)
