"""The only code that stores anything in Airflow: task state, Variables, and what rests on them."""
