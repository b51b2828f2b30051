"""Opens files of contacts, and says why one cannot be read (to its end)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import BinaryIO

from airflow_provider_campaigns.delivery.storage import locate, open_text
from airflow_provider_campaigns.exceptions import InputError


@contextmanager
def text_of(path: str, where: str) -> Iterator[TextIOWrapper]:
    """Open a UTF-8 file; within ``with``, what is wrong with it becomes an ``InputError`` about ``where``."""
    with _readable(where), open_text(locate(path)) as text:
        yield text


@contextmanager
def bytes_of(path: str, where: str) -> Iterator[BinaryIO]:
    """Open a file in binary; within ``with``, what is wrong with it becomes an ``InputError`` about ``where``."""
    with _readable(where), locate(path).open("rb") as file:
        yield file


@contextmanager
def _readable(where: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(where, "UTF-8 text", f"other bytes ({error.reason})") from None
    except OSError as error:
        raise InputError(where, "a file that can be read", error.strerror or type(error).__name__) from None
    except (ImportError, ValueError) as error:
        raise InputError(where, "a path, or a URL whose provider is installed", error) from None
