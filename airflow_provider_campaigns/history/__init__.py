"""
Who was contacted when, over all deliveries, in a database of the user's: caps, suppression, one pace per account.

It is there when an Airflow connection is named (``[campaigns] history_conn_id``, or an operator's parameter
``history_conn_id``), and imported only then. Tables, hashing and retention: docs/history.md.
"""
