"""What a request, a reply, a conversation and a retry decision are; no I/O and no Airflow here."""
