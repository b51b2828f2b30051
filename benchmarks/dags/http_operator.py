"""The same leads with nothing but Airflow's HTTP provider: one mapped task per lead."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.http.operators.http import HttpOperator

from benchmarks.jobs import SINGLE

LEADS = int(os.environ.get("BENCHMARK_LEADS", "100"))

with DAG("http_operator", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), max_active_tasks=16):
    HttpOperator.partial(
        task_id="send",
        http_conn_id="bench_http",
        endpoint=SINGLE,
        method="POST",
        headers={"Content-Type": "application/json"},
    ).expand(
        data=[
            json.dumps({"campaignName": "Demo", "phoneNumber": f"+4477009{number:07}", "Name": "Customer"})
            for number in range(LEADS)
        ]
    )
