"""What the links share: the operator stores the address as soon as it knows it, so that it shows while it waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


class StoredLink(BaseOperatorLink):
    """
    A link whose address is an XCom.

    Airflow 3 asks for it when the task ends or is deferred, and shows what it stored under ``xcom_key``, the very XCom
    that was there already; Airflow 2 asks each time the link is shown.
    """

    @property
    def xcom_key(self) -> str:
        """Key of the XCom."""
        return self.key()

    @classmethod
    def key(cls) -> str:
        """Return the key of the XCom, the one under which Airflow 3 keeps a link."""
        return f"_link_{cls.__name__}"

    @classmethod
    def store(cls, context: Mapping[str, Any], url: object) -> None:
        """Store the address; nothing but a web address is one."""
        ti = context.get("ti")
        if ti and isinstance(url, str) and url.startswith(("https://", "http://")):
            ti.xcom_push(key=cls.key(), value=url)

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address, empty when there is none."""
        from airflow.providers.common.compat.sdk import XCom

        return XCom.get_value(ti_key=ti_key, key=self.key()) or ""
