#!/usr/bin/env bash
# Airflow's UI (http://localhost:8080, nobody has to sign in; http://localhost:8080/plugin/campaigns has the deliveries)
# with the examples and their connections, which point to a sandbox that runs as long as Airflow does. `make standalone`
# prepares AIRFLOW_HOME, where the examples have run once, and PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

export AIRFLOW__API__HOST=127.0.0.1
export AIRFLOW__CORE__DAGS_FOLDER="$PWD/dags_examples"
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS=True
export AIRFLOW__CORE__TEST_CONNECTION=Enabled
export AIRFLOW_CONN_CAMPAIGNS_WAREHOUSE='{"conn_type": "sqlite", "host": "'"$AIRFLOW_HOME"'/warehouse.db"}'

airflow db migrate
airflow connections import --overwrite scripts/connections.json
airflow pools import dags_examples/pools.json

# Job control keeps Ctrl-C from Airflow's parts: they stop at one signal from their parent, but may hang at two.
set -m
python -m airflow_provider_campaigns.sandbox --port 8765 &
sandbox=$!
airflow standalone &
airflow=$!

stop() {
    kill -INT "$airflow" "$sandbox" 2>/dev/null || true
    { sleep 15 && kill -KILL -- "-$airflow"; } 2>/dev/null &
    wait "$airflow" "$sandbox" || true
    kill -- "-$!" 2>/dev/null || true
}
trap stop EXIT
trap exit INT TERM
wait "$airflow"
