"""Keeps addresses and query strings out of the HTTP libraries' own log lines."""

from __future__ import annotations

import logging
import re

from airflow_provider_campaigns.masking import mask

# Those that log request targets, as sent, or connections.
_LOGGERS = (
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.response",
    "urllib3.util.retry",
    "aiohttp.client",
    "aiohttp.internal",
)
_QUERY = re.compile(r"\?[^\s\"']+")


def _hide(record: logging.LogRecord) -> bool:
    record.msg = mask(_QUERY.sub("?***", record.getMessage()))
    record.args = None
    return True


def install_log_filter() -> None:
    """Mask what the libraries log, from now on; calling it again changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_hide)
