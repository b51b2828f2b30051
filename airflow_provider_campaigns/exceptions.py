"""The errors this package raises; plain exceptions, so that any part may import them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_provider_campaigns.masking import mask, one_line

# Characters of a vendor's message and of its code that are kept: one that repeats the request would fill logs and
# outcomes with it.
LONGEST_MESSAGE = 500
LONGEST_CODE = 100


class CampaignError(Exception):
    """Base of every error raised by this package."""


class InputError(CampaignError, ValueError):
    """
    Something the DAG author or the connection gave cannot be used; raised before the first request.

    :param field: the parameter, column or connection field at fault.
    :param expected: what would have been right.
    :param got: what came (masked and cut here; never pass a secret).
    """

    def __init__(self, field: str, expected: str, got: object) -> None:
        self.field = field
        self.expected = expected
        super().__init__(f"{field}: expected {expected}, got {shown(str(got))}")


class PersonalDataWarning(UserWarning):
    """Airflow stores personal data of a DAG in clear."""


class NoContactsError(InputError):
    """The source of the contacts can be read, and holds none."""


class InvalidContactError(InputError):
    """One row of the contacts cannot be sent; the row becomes ``invalid``, the others are sent."""


class VendorError(CampaignError):
    """
    A vendor did not do what it was asked.

    :param vendor: the vendor's name, e.g. ``exotel``.
    :param message: the vendor's message, or what happened on the wire. Addresses are masked, control characters escaped
        and the text cut here; the account's credentials are hidden by ``Dialect.error`` and by the transports.
    :param status: HTTP status of the reply, None when there was none.
    :param code: the vendor's own code or error name, None when it gave none; treated like the message.
    """

    what_happened = "error"
    retry_after: float | None = None
    """Seconds after which the vendor wants to be asked again, None when it did not say."""

    def __init__(self, vendor: str, message: str, *, status: int | None = None, code: str | int | None = None) -> None:
        self.vendor = vendor
        self.message = shown(message)
        self.status = status
        self.code = shown(code, LONGEST_CODE) if isinstance(code, str) else code
        details = [f"HTTP {status}"] if status is not None else []
        if code is not None:
            details.append(f"code {mask(str(self.code))}")
        where = f" ({', '.join(details)})" if details else ""
        super().__init__(f"{vendor}: {self.what_happened}{where}: {self.message}")

    def redact(self, redact: Callable[[str], str]) -> None:
        """
        Hide credentials in what this error says.

        :param redact: hides them in a text.
        """
        code = redact(self.code) if isinstance(self.code, str) else self.code
        VendorError.__init__(self, self.vendor, redact(self.message), status=self.status, code=code)


def shown(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Return a stranger's text as it may be shown: addresses masked, on one line, and no longer than ``longest``."""
    # Masking takes time, and only the start is shown.
    line = one_line(mask(text[: longest * 8]))
    return line if len(line) <= longest else f"{line[:longest]} ..."


class CallRefusedError(VendorError):
    """The vendor refuses this kind of call (credentials, plan, unknown campaign): no further call can succeed."""

    what_happened = "call refused"


class RequestRejectedError(VendorError):
    """The vendor understood this one request and refused its content; other requests may succeed."""

    what_happened = "request rejected"


class VendorUnavailableError(VendorError):
    """The vendor could not be reached, or kept asking to wait; a write that ends so was never carried out."""

    what_happened = "unavailable"


class OutcomeUnknownError(VendorError):
    """A write left and its fate is not known: it may have been carried out, so it was not repeated."""

    what_happened = "outcome unknown"


class CampaignFailedError(VendorError):
    """A campaign or request that a sensor watches reached a failed final state at the vendor."""

    what_happened = "campaign failed"


RESEND_ALL = {"on_cleared": "resend"}
"""A remedy: what a person chooses to send to everybody again, or to create a campaign once more."""


class DeliveryError(CampaignError):
    """
    A delivery ended without doing all it was asked; the outcomes say what became of each contact.

    :param message: what happened and what to do.
    :param final: a retry of the task cannot help.
    :param remedy: parameters that a person may choose, once, when the task is cleared: ``{"on_cleared": "resend"}``.
    """

    def __init__(self, message: str, *, final: bool = False, remedy: Mapping[str, str] | None = None) -> None:
        self.final = final
        self.remedy = dict(remedy or {})
        super().__init__(message)

    def add(self, sentence: str) -> None:
        """Add a sentence to the message."""
        self.args = (f"{str(self).rstrip('.')}. {sentence}",)


class TooManyRejectedError(DeliveryError):
    """More contacts were rejected than ``max_rejected`` allows, or every one was."""


class TooManyInvalidError(DeliveryError):
    """More contacts were invalid than ``max_invalid`` allows."""


class UnknownOutcomesError(DeliveryError):
    """Some contacts may or may not have been reached, and were not sent again."""


class VendorFailingError(DeliveryError):
    """The vendor left request after request unanswered; the delivery stopped, the rest is unsent."""


class SendWindowClosedError(DeliveryError):
    """The hours at which contacts may be sent are over, and there are contacts left."""


class LedgerError(DeliveryError):
    """The record of an earlier try is missing or damaged, or belongs to another delivery."""
