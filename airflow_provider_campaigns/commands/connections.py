"""Connections to vendors, and their hooks, outside of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_campaigns.commands.output import written
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.get_provider_info import get_provider_info
from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.state.metadata import find_connection

if TYPE_CHECKING:
    from airflow.models.connection import Connection


def hook_classes() -> dict[str, str]:
    """Return the import path of the hook of each type of connection."""
    return {kind["connection-type"]: kind["hook-class-name"] for kind in get_provider_info()["connection-types"]}


def connection_of(conn_id: str, field: str = "conn_id") -> Connection:
    """
    Return an Airflow connection.

    :param field: the argument that names it, for the error.
    :raises InputError: there is none.
    """
    try:
        return find_connection(conn_id)
    except Exception as error:  # noqa: BLE001 - what cannot be read is none, whatever Airflow raises
        raise InputError(field, "the id of an Airflow connection", f"{conn_id!r}: {written(str(error))}") from None


def open_hook(conn_id: str, conn_type: str | None = None) -> CampaignHook:
    """
    Return the hook of a connection.

    :param conn_type: the type that it must have; default: any vendor's.
    :raises InputError: it has another, or there is no such connection.
    """
    connection = connection_of(conn_id)
    kind = connection.conn_type or ""
    hook = _hook(connection, conn_id)
    if hook is None or conn_type not in (None, kind):
        expected = f"a connection of type {conn_type or ', '.join(hook_classes())}"
        raise InputError("conn_id", expected, f"{conn_id!r}: {kind!r}")
    # The hook's own way to it is a task's.
    hook.__dict__["connection"] = connection
    return hook


def _hook(connection: Connection, conn_id: str) -> CampaignHook | None:
    """Return the hook of a connection to a vendor, None for another; the vendor may be another package's."""
    from airflow.providers.common.compat.module_loading import import_string
    from airflow.providers.common.compat.sdk import AirflowException

    own = hook_classes().get(connection.conn_type or "")
    if own:
        hook: CampaignHook = import_string(own)(conn_id)
        return hook
    try:
        found: object = connection.get_hook()
    except (AirflowException, ImportError):
        return None
    return found if isinstance(found, CampaignHook) else None
