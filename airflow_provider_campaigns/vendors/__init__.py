"""The five vendors, a package each: how requests are built and what replies mean; no I/O and no Airflow here."""
