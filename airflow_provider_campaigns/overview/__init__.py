"""
What people see of deliveries: which ones there were, what became of their contacts, and which need somebody.

The campaign page and the command line show it. It comes from the history database where ``[campaigns] history_conn_id``
names one, else from what tasks keep in Airflow's metadata database. Nothing here changes anything.
"""
