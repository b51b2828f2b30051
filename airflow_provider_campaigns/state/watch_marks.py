"""Where a watcher keeps its mark: the asset's state store (Airflow 3.3 and later), else an Airflow Variable."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from typing import Any

from asgiref.sync import sync_to_async

from airflow_provider_campaigns.state import variables

log = logging.getLogger(__name__)


class MarkStore(ABC):
    """
    Keeps one mark.

    :param key: its name.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self.value: Any = None
        """The mark as JSON, None when there is none."""

    async def save(self, value: Any) -> None:
        """Store a mark; when that fails it is logged, and the next one takes its place."""
        try:
            await self._write(value)
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises, the watcher continues
            log.warning("The published Exotel campaigns could not be stored, and may be published again: %s", error)

    async def load(self) -> None:
        """Read the mark, or raise what Airflow raises: without it, old campaigns would count as new."""
        self.value = await self._read()

    @abstractmethod
    async def _read(self) -> Any: ...

    @abstractmethod
    async def _write(self, value: Any) -> None: ...


class AssetMark(MarkStore):
    """
    In the asset's state store.

    :param accessor: the trigger's ``asset_state_store``.
    """

    def __init__(self, key: str, accessor: Any) -> None:
        super().__init__(key)
        self._accessor = accessor

    async def _read(self) -> Any:
        return await self._accessor.aget(self._key)

    async def _write(self, value: Any) -> None:
        await self._accessor.aset(self._key, value)


class VariableMark(MarkStore):
    """In an Airflow Variable; in asgiref's threads, for Airflow 3.0 and 3.1 answer no others of the triggerer."""

    async def _read(self) -> Any:
        return json.loads(await sync_to_async(variables.read)(self._key) or "null")

    async def _write(self, value: Any) -> None:
        text = json.dumps(value, separators=(",", ":"))
        await sync_to_async(variables.write)(self._key, text, "the Exotel campaigns whose end was published")


async def mark_store(key: str, trigger: object) -> MarkStore:
    """
    Return the store of a watcher, its mark read.

    :param key: the mark's name.
    :param trigger: the watcher's event trigger.
    """
    accessor = getattr(trigger, "asset_state_store", None)
    if accessor is not None:
        store: MarkStore = AssetMark(key, accessor)
        try:
            await store.load()
        except ValueError:
            # The trigger is shared by watchers of several assets, and Airflow does not say which.
            log.info("Several assets have this trigger: its mark is kept in the Variable %s", key)
        else:
            return store
    store = VariableMark(key)
    await store.load()
    return store
