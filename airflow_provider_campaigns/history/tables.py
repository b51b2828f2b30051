"""The tables; ``migrations`` makes them, and docs/history.md describes them to those who query them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

PREFIX = "campaigns_"
"""The tables stand in a database of the user's, which may have a table ``contacts`` already."""
VERSION_TABLE = f"{PREFIX}version"

LONGEST_IDENTITY = 320
LONGEST_TEXT = 250


def moment() -> sa.types.TypeEngine[Any]:
    """Return the type of a point in time: UTC, without a zone."""
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def identity() -> sa.types.TypeEngine[str]:
    """Return the type of a person's identity, in which case counts."""
    text = mysql.VARCHAR(LONGEST_IDENTITY, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(LONGEST_IDENTITY).with_variant(text, "mysql")


def seconds() -> sa.types.TypeEngine[float]:
    """Return the type of seconds since the epoch."""
    return sa.Float(53).with_variant(mysql.DOUBLE(asdecimal=False), "mysql")


def long_text() -> sa.types.TypeEngine[str]:
    """Return the type of text of any length."""
    return sa.Text().with_variant(mysql.LONGTEXT(), "mysql")


COUNTS = ("contacts", "accepted", "duplicate", "rejected", "invalid", "capped", "unsent", "unknown", "requests")

metadata = sa.MetaData()

deliveries = sa.Table(
    f"{PREFIX}deliveries",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("dag_id", sa.String(LONGEST_TEXT), nullable=False),
    sa.Column("run_id", sa.String(LONGEST_TEXT), nullable=False),
    sa.Column("task_id", sa.String(LONGEST_TEXT), nullable=False),
    sa.Column("map_index", sa.Integer, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("vendor", sa.String(LONGEST_TEXT), nullable=False),
    sa.Column("account", sa.String(LONGEST_TEXT), nullable=False),
    sa.Column("campaign", sa.String(LONGEST_TEXT), nullable=False),
    sa.Column("channel", sa.String(LONGEST_TEXT), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("begun", moment(), nullable=False),
    sa.Column("ended", moment()),
    *(sa.Column(name, sa.Integer, nullable=False) for name in COUNTS),
    sa.Column("outcomes_path", long_text()),
    sa.Index(f"ix_{PREFIX}deliveries_begun", "begun"),
)

contacts = sa.Table(
    f"{PREFIX}contacts",
    metadata,
    sa.Column("delivery", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("source_row", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("identity", identity(), primary_key=True),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("reason", sa.String(LONGEST_TEXT)),
    sa.Column("vendor_id", sa.String(LONGEST_TEXT)),
    sa.Column("at", moment(), nullable=False),
    sa.Index(f"ix_{PREFIX}contacts_identity_at", "identity", "at"),
)

people = sa.Table(
    f"{PREFIX}people",
    metadata,
    sa.Column("identity", identity(), primary_key=True),
    sa.Column("at", moment(), nullable=False),
)

suppressed = sa.Table(
    f"{PREFIX}suppressed",
    metadata,
    sa.Column("identity", identity(), primary_key=True),
    sa.Column("person", identity(), nullable=False),
    sa.Column("since", moment(), nullable=False),
    sa.Column("reason", sa.String(LONGEST_TEXT), nullable=False),
    sa.Column("source", sa.String(LONGEST_TEXT), nullable=False),
    sa.Index(f"ix_{PREFIX}suppressed_person", "person"),
)

pace = sa.Table(
    f"{PREFIX}pace",
    metadata,
    sa.Column("account", sa.String(LONGEST_TEXT), primary_key=True),
    sa.Column("next_at", seconds(), nullable=False),
    sa.Column("paused_until", seconds(), nullable=False),
)

ledger = sa.Table(
    f"{PREFIX}ledger",
    metadata,
    sa.Column("task", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("value", long_text(), nullable=False),
    sa.Column("at", moment(), nullable=False),
    sa.Index(f"ix_{PREFIX}ledger_at", "at"),
)
