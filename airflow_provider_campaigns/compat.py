"""
Names of Airflow that common-compat has only in releases younger than the oldest one that this package works with.

Each name is imported from common-compat where it is there, else from Airflow itself, and only when it is asked for:
importing an operator must not load triggers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection
    from airflow.sdk.bases.decorator import determine_kwargs
    from airflow.sdk.log import mask_secret
    from airflow.sdk.observability.stats import Stats
    from airflow.triggers.base import BaseEventTrigger

__all__ = ["BaseEventTrigger", "Stats", "determine_kwargs", "get_async_connection", "mask_secret"]

# Module and attribute, in the order in which they are tried.
PLACES = {
    "mask_secret": (
        ("airflow.providers.common.compat.sdk", "mask_secret"),  # 1.22
        ("airflow.sdk.log", "mask_secret"),  # Airflow 3.1
        ("airflow.sdk.execution_time.secrets_masker", "mask_secret"),  # Airflow 3.0
        ("airflow.utils.log.secrets_masker", "mask_secret"),  # Airflow 2
    ),
    "Stats": (
        ("airflow.providers.common.compat.sdk", "Stats"),  # 1.15
        ("airflow.sdk.observability.stats", "Stats"),  # Airflow 3.2
        ("airflow.observability.stats", "Stats"),
        ("airflow.stats", "Stats"),  # Airflow 2, and 3 up to 3.1
    ),
    "determine_kwargs": (
        ("airflow.providers.common.compat.sdk", "determine_kwargs"),  # 1.16
        ("airflow.sdk.bases.decorator", "determine_kwargs"),
        ("airflow.utils.operator_helpers", "determine_kwargs"),  # Airflow 2 and 3.1
    ),
    "BaseEventTrigger": (
        ("airflow.providers.common.compat.triggers", "BaseEventTrigger"),  # 1.19
        ("airflow.triggers.base", "BaseEventTrigger"),  # Airflow 3
        # Airflow 2 has no asset watchers: the class can be defined, and says so when it is used.
        ("airflow.triggers.base", "BaseTrigger"),
    ),
}


def __getattr__(name: str) -> Any:
    """
    Return one of the names of ``PLACES``, from the first place that has it.

    :raises AttributeError: it is none of them, or is in none of its places.
    """
    for module, attribute in PLACES.get(name, ()):
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError):
            continue
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


async def get_async_connection(conn_id: str) -> Connection:
    """
    Return a connection without blocking the event loop.

    As common-compat's function of this name does from 1.23 on: before Airflow 3.3.2 ``aget_connection`` masks the
    connection's secrets with a blocking call, which fails or hangs beside another call of the same event loop. So the
    blocking ``get_connection`` is called in a thread there.

    :param conn_id: id of the Airflow connection.
    """
    from airflow.providers.common.compat.sdk import BaseHook, Connection
    from asgiref.sync import sync_to_async

    # Airflow 3.3.2 has this method since it masks without blocking.
    if hasattr(Connection, "aextra_dejson"):
        connection: Connection = await BaseHook.aget_connection(conn_id)
        return connection
    return await sync_to_async(BaseHook.get_connection)(conn_id)
