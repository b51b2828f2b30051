"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTS = ("contacts", "accepted", "duplicate", "rejected", "invalid", "capped", "unsent", "unknown", "requests")


def _moment() -> sa.types.TypeEngine[Any]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def _identity() -> sa.types.TypeEngine[str]:
    text = mysql.VARCHAR(320, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(320).with_variant(text, "mysql")


def _seconds() -> sa.types.TypeEngine[float]:
    return sa.Float(53).with_variant(mysql.DOUBLE(asdecimal=False), "mysql")


def _long_text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.LONGTEXT(), "mysql")


def upgrade() -> None:
    """Make the tables."""
    texts = ("dag_id", "run_id", "task_id")
    about = ("vendor", "account", "campaign", "channel")
    op.create_table(
        "campaigns_deliveries",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.String(250), nullable=False) for name in texts),
        sa.Column("map_index", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String(250), nullable=False) for name in about),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("begun", _moment(), nullable=False),
        sa.Column("ended", _moment()),
        *(sa.Column(name, sa.Integer, nullable=False) for name in COUNTS),
        sa.Column("outcomes_path", _long_text()),
    )
    op.create_index("ix_campaigns_deliveries_begun", "campaigns_deliveries", ["begun"])
    op.create_table(
        "campaigns_contacts",
        sa.Column("delivery", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("source_row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("identity", _identity(), primary_key=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(250)),
        sa.Column("vendor_id", sa.String(250)),
        sa.Column("at", _moment(), nullable=False),
    )
    op.create_index("ix_campaigns_contacts_identity_at", "campaigns_contacts", ["identity", "at"])
    op.create_table(
        "campaigns_people",
        sa.Column("identity", _identity(), primary_key=True),
        sa.Column("at", _moment(), nullable=False),
    )
    op.create_table(
        "campaigns_suppressed",
        sa.Column("identity", _identity(), primary_key=True),
        sa.Column("person", _identity(), nullable=False),
        sa.Column("since", _moment(), nullable=False),
        sa.Column("reason", sa.String(250), nullable=False),
        sa.Column("source", sa.String(250), nullable=False),
    )
    op.create_index("ix_campaigns_suppressed_person", "campaigns_suppressed", ["person"])
    op.create_table(
        "campaigns_pace",
        sa.Column("account", sa.String(250), primary_key=True),
        sa.Column("next_at", _seconds(), nullable=False),
        sa.Column("paused_until", _seconds(), nullable=False),
    )
    op.create_table(
        "campaigns_ledger",
        sa.Column("task", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("value", _long_text(), nullable=False),
        sa.Column("at", _moment(), nullable=False),
    )
    op.create_index("ix_campaigns_ledger_at", "campaigns_ledger", ["at"])


def downgrade() -> None:
    """Remove the tables, and all that is in them."""
    for name in ("ledger", "pace", "suppressed", "people", "contacts", "deliveries"):
        op.drop_table(f"campaigns_{name}")
