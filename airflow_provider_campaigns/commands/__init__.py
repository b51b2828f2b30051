"""
The command line: ``airflow campaigns …`` on Airflow 3.2 and later, ``python -m airflow_provider_campaigns …`` on all.

``definition`` says which commands there are, for both; the other modules are what they do.
"""
