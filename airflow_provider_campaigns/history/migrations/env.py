"""Runs migrations on the connection that ``history.schema`` passes in; Alembic executes this file."""

from __future__ import annotations

from alembic import context

from airflow_provider_campaigns.history.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=context.config.attributes["connection"].dialect.name != "mysql",
)
with context.begin_transaction():
    context.run_migrations()
