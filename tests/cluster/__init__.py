"""Airflow as a cluster on this machine, and what happens to a delivery when parts of it fail: `make cluster-soak`."""
