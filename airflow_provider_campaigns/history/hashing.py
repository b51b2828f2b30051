"""
How a person is written in the tables: as a keyed hash, so that who sees the tables alone knows nobody by them.

An unkeyed hash would not do: there are few enough phone numbers to try them all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from airflow_provider_campaigns.exceptions import LedgerError
from airflow_provider_campaigns.history.tables import LONGEST_IDENTITY

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


# Of each hash: enough that no two people ever have the same one; shorter keys make smaller indexes.
HASH_BYTES = 16
# Each contact's is asked for several times within one transaction, and once more when it is settled.
HASHES_KEPT = 20_000


@dataclass(frozen=True)
class Hasher:
    """
    Writes identities.

    :param keys: secrets, the one in use first, then those that were in use before; empty: identities are in clear.
    """

    keys: tuple[str, ...] = field(default=(), repr=False)

    def written(self, identity: str) -> str:
        """Return an identity as it is written."""
        return _hash(self._binary[0], identity) if self._binary else _clear(identity)

    def all_written(self, identity: str) -> list[str]:
        """Return an identity as it may be written, the current way first."""
        return [_hash(key, identity) for key in self._binary] or [_clear(identity)]

    def seal(self, text: str) -> str:
        """Return text in a form that only the keys open: digests of a few contacts could be tried out."""
        return self._fernet.encrypt(text.encode()).decode() if self._fernet else text

    def unseal(self, text: str) -> str:
        """
        Return what was sealed.

        :raises LedgerError: it was sealed with another key, or is damaged.
        """
        from cryptography.fernet import InvalidToken

        if not self._fernet:
            return text
        try:
            return self._fernet.decrypt(text.encode()).decode()
        except InvalidToken:
            raise LedgerError(
                "the record of earlier tries in the history database is damaged, or hash_key of its connection was "
                "changed without previous_hash_key. Nothing was sent"
            ) from None

    @cached_property
    def _binary(self) -> list[bytes]:
        return [key.encode() for key in self.keys]

    @cached_property
    def _fernet(self) -> MultiFernet | None:
        from cryptography.fernet import Fernet, MultiFernet

        keys = [hmac.digest(key, b"ledger", "sha256") for key in self._binary]
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys]) if keys else None


@lru_cache(maxsize=HASHES_KEPT)
def _hash(key: bytes, identity: str) -> str:
    return hmac.digest(key, identity.encode("utf-8", "surrogatepass"), "sha256")[:HASH_BYTES].hex()


def _clear(identity: str) -> str:
    """Return an identity in clear; of one that is too long, a digest."""
    if len(identity) <= LONGEST_IDENTITY:
        return identity
    return f"sha256:{hashlib.sha256(identity.encode('utf-8', 'surrogatepass')).hexdigest()}"
