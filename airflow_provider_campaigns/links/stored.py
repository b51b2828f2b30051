"""What the links share: the operator stores the address as soon as it knows it, so that it shows while it waits."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


log = logging.getLogger(__name__)


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
        """
        Store the address; nothing but a web address is one.

        :param url: empty: there is none. Airflow 3 gets that, too: it would log an error when it finds nothing.
        """
        ti = context.get("ti")
        known = isinstance(url, str) and (url.startswith(("https://", "http://")) or (not url and AIRFLOW_V_3_0_PLUS))
        if not ti or not known:
            return
        try:
            ti.xcom_push(key=cls.key(), value=url)
        except Exception as error:  # noqa: BLE001 - whatever it is, a link is no reason to stop a delivery
            log.warning("The link %r cannot be stored (%s)", cls.name, type(error).__name__)

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address, empty when there is none."""
        from airflow.providers.common.compat.sdk import XCom

        return XCom.get_value(ti_key=ti_key, key=self.key()) or ""
