"""The campaign page in Airflow's UI."""
