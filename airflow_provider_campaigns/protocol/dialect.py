"""What the shared layers ask of a vendor: how it signs requests, what its replies mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeVar

from airflow_provider_campaigns.exceptions import LONGEST_CODE, LONGEST_MESSAGE, VendorError
from airflow_provider_campaigns.masking import Redactor, redactor
from airflow_provider_campaigns.protocol.messages import Conversation, Request, Response

AnyVendorError = TypeVar("AnyVendorError", bound=VendorError)

# A refusal that every other contact and page would meet too (payment, permission, unknown campaign, a proxy's sign-in).
CALL_REFUSALS = frozenset({401, 402, 403, 404, 407})
# The redirects that mean, by RFC 9110, that the request was not handled where it arrived: 301, 307, 308. (That clients
# may turn a POST into a GET after 301 is about the repeat.) After any other, e.g. 303 "see other", it may have been.
NOT_HANDLED_HERE = frozenset({301, 307, 308})
# 423 "locked" (RFC 4918) and 425 "too early" (RFC 8470): not processed, may be repeated.
NOT_PROCESSED_YET = frozenset({423, 425})
# 408 "request timeout", and 499, nginx's "client closed request": a gateway may have passed the request on.
MAY_BE_HANDLED = frozenset({408, 499})


class Verdict(Enum):
    """What a reply means for repeating the request; the vendor's words count as much as the HTTP status."""

    ANSWERED = "answered"
    """A whole reply to read; it may still refuse single contacts."""
    THROTTLED = "throttled"
    """Too many requests: refused, wait and repeat."""
    SIGNED_OUT = "signed out"
    """The token or credentials are not (or no longer) taken: refused, sign in again once."""
    TRY_LATER = "try later"
    """The HTTP standard, or the vendor's page, gives it this meaning: not carried out, repeat it later."""
    BROKEN = "broken"
    """A server error, a gateway's reply or one that cannot be read: the request may have been carried out."""
    CALL_REFUSED = "call refused"
    """No request of this kind can succeed."""
    REJECTED = "rejected"
    """This request was refused for what it holds."""


class VendorMessage(NamedTuple):
    """What a vendor says of an error: its own code or name, and its words."""

    code: str | int | None
    message: str


class AccountFact(NamedTuple):
    """
    What a reply says of the account, or of something that the vendor's pages leave open.

    :param name: what it is about.
    :param value: what the reply says.
    :param holds: whether that is what this package assumes; None: it is no assumption.
    """

    name: str
    value: str
    holds: bool | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    How long one request is worth repeating.

    :param retry_limit: repeats after failures that may be repeated.
    :param max_wait: seconds, in all, of waiting after refusals such as 429; these do not count as repeats.
    """

    retry_limit: int = 3
    max_wait: float = 300.0


@dataclass(frozen=True, kw_only=True)
class Dialect(ABC):
    """
    A vendor's way of speaking, bound to one account; subclasses add a method per endpoint, each a conversation.

    Subclasses are frozen dataclasses whose secret fields are ``repr=False``.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)

    vendor: ClassVar[str]
    tries_again_later: ClassVar[frozenset[int]] = frozenset()
    """HTTP statuses the vendor documents as "try again later", beside 429 and the standard's own (423, 425)."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The account's credentials, which no message may show; a vendor that repeats a request may repeat them."""
        return tuple(filter(None, (getattr(self, one.name) for one in fields(self) if not one.repr)))

    @property
    def signs_in(self) -> bool:
        """Whether requests need a token from ``sign_in``."""
        return False

    @abstractmethod
    def authorize(self, request: Request, token: str) -> Request:
        """Return ``request`` with the account's credentials; ``token`` is empty unless ``signs_in``."""

    def sign_in(self, stale: str) -> Conversation[str]:
        """
        Return a token the vendor takes: the stored one unless it is ``stale`` or has ended, else a new one.

        The transport runs this one at a time. Yields ``Recall`` first and ``Keep`` after a new token.
        """
        raise TypeError(f"{self.vendor} has no tokens")
        yield

    def facts(self, reply: Response) -> Sequence[AccountFact]:
        """
        Return what a reply to the call that proves the credentials says of the account; no secrets.

        :param reply: of that call, or an earlier one of the same conversation.
        """
        return ()

    def verdict(self, response: Response) -> Verdict:
        """
        Judge a reply by its HTTP status and whether it is JSON; vendors refine this with their own words.

        A request counts as refused only by a status to which the HTTP standard, or the vendor's page, gives that
        meaning; see the table of ``protocol.retry``.
        """
        status = response.status
        if status == 429:
            return Verdict.THROTTLED
        if status == 401:
            return Verdict.SIGNED_OUT
        if status in NOT_PROCESSED_YET | self.tries_again_later:
            return Verdict.TRY_LATER
        if response.ok:
            return Verdict.ANSWERED if is_json(response) else Verdict.BROKEN
        if status in CALL_REFUSALS | NOT_HANDLED_HERE:
            return Verdict.CALL_REFUSED
        return Verdict.REJECTED if 400 <= status < 500 and status not in MAY_BE_HANDLED else Verdict.BROKEN

    def explain(self, response: Response) -> VendorMessage:
        """Return the vendor's code and message of an error reply, whatever its envelope."""
        body = json_object(response)
        message = body.get("message") or body.get("error") or body.get("msg")
        return VendorMessage(body.get("code"), str(message or f"no message ({len(response.body)} bytes)"))

    def error(self, kind: type[AnyVendorError], response: Response) -> AnyVendorError:
        """Return an error of ``kind`` that carries the vendor's words, with every credential in them hidden."""
        said = self.explain(response)
        if 300 <= response.status < 400:
            hint = "the vendor redirects; check the connection's host (scheme, region, path prefix)"
            said = VendorMessage(said.code, hint)
        return self.error_saying(kind, said, response)

    def error_saying(self, kind: type[AnyVendorError], said: VendorMessage, response: Response) -> AnyVendorError:
        """
        Return an error of ``kind`` with these words, with every credential in them hidden.

        :param said: the vendor's words; text of ours may be among them.
        :param response: the reply that holds them.
        """
        redact = self.redactor(response.secrets)
        # Far more than is kept in the end: hiding a long credential makes a text shorter.
        message = redact(said.message, longest=8 * LONGEST_MESSAGE)
        code = redact(said.code, longest=8 * LONGEST_CODE) if isinstance(said.code, str) else said.code
        return kind(self.vendor, message, status=response.status, code=code)

    def redactor(self, secrets: Collection[str] = ()) -> Redactor:
        """
        Return what hides the account's credentials in a text of the vendor, in every form.

        :param secrets: others to hide, such as the current token.
        """
        return redactor(*self.secrets, *secrets) if secrets else self._own_redactor

    # Cached, since every conversation asks for it.
    @cached_property
    def _own_redactor(self) -> Redactor:
        return redactor(*self.secrets)


def is_json(response: Response) -> bool:
    """Whether the body is a JSON object or array."""
    try:
        return isinstance(response.json(), (dict, list))
    except ValueError:
        return False


def json_object(response: Response) -> dict[str, Any]:
    """Return the body if it is a JSON object, else an empty dict."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
