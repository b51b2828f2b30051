"""Keeps addresses, query strings and parts of replies out of the HTTP libraries' own log lines."""

from __future__ import annotations

import logging
import re

from airflow_provider_campaigns.masking import mask, one_line

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


# urllib3 logs the headers that it could not parse, also in the traceback.
_UNPARSED = re.compile(r"unparsed data: .*", re.DOTALL)


def _hide(record: logging.LogRecord) -> bool:
    text = _UNPARSED.sub("unparsed data: ***", _QUERY.sub("?***", record.getMessage()))
    record.msg = one_line(mask(text))
    record.args = record.exc_info = record.exc_text = None
    return True


def install_log_filter() -> None:
    """Mask what the libraries log, from now on; calling it again changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_hide)
