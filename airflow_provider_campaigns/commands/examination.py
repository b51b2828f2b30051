"""Checks one connection to a vendor: what it says, whether the vendor takes it, and what the replies show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit

from airflow_provider_campaigns.commands.output import written
from airflow_provider_campaigns.exceptions import CallRefusedError, CampaignError, InputError, VendorError
from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.protocol.dialect import RetryPolicy
from airflow_provider_campaigns.protocol.reading import Seen

Result = Literal["ok", "info", "warning", "failed"]

# What is there is to be seen, not to be waited for; 10 s are for the token that another process is making.
_AT_ONCE = RetryPolicy(retry_limit=0, max_wait=10.0)
# Seconds by which our clock and the vendor's may differ. Tokens end, and campaigns begin, by these clocks.
CLOCKS_AGREE = 5.0
CLOCKS_DIFFER = 60.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")
THROTTLED = 429
# Of a call that no vendor refuses so: there is no such API, or it has moved.
NO_API = frozenset({301, 307, 308, 404, 405})
LIMIT_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "ratelimit-limit", "ratelimit-remaining", "retry-after")


@dataclass(frozen=True)
class Finding:
    """What one check found; ``text`` holds no secrets, and masked addresses."""

    check: str
    result: Result
    text: str


def examine(hook: CampaignHook) -> list[Finding]:
    """
    Check a connection; nothing is changed at the vendor.

    :param hook: of the connection, which it has already.
    """
    try:
        fields = list(_fields(hook))
        hook.__dict__["dialect"] = replace(hook.dialect, policy=_AT_ONCE)
    except InputError as wrong:
        return [Finding("fields", "failed", written(str(wrong), 500))]
    seen: list[Seen] = []
    said, error = _examined(hook, seen)
    found = [*fields, _host(hook, seen, error), *_limits(hook, seen, error), *_credentials(hook, said, error)]
    found += _clock(seen)
    if error is None and seen:
        found += _facts(hook, seen[-1])
    redact = hook.dialect.redactor(hook.fields.settings.secrets)
    return [replace(one, text=redact(one.text)) for one in found]


def _examined(hook: CampaignHook, seen: list[Seen]) -> tuple[str, CampaignError | None]:
    try:
        return hook.examine(seen.append), None
    except CampaignError as failure:
        return "", failure


def _fields(hook: CampaignHook) -> Iterator[Finding]:
    """Yield what the connection says; reading a field checks it."""
    settings, patterns, region = hook.fields.settings, hook.only_recipients, hook.region
    _ = hook.dialect, hook.fields.campaign_page, hook.fields.requests_per_minute
    yield Finding("fields", "ok", f"no unknown extras{f', region {region}' if region else ''}")
    if patterns:
        who = f"nobody but {', '.join(patterns)} is contacted"
        yield Finding("only_recipients", "ok", written(who))
    else:
        yield Finding("only_recipients", "info", "not set: everybody can be contacted")
    if settings.verify is False:
        yield Finding("encryption", "warning", "verify is false: the vendor's certificate is not checked")
    elif not _is_private(settings.base_url):
        yield Finding("encryption", "warning", "the host is reached by http: credentials can be read on the way")


def _is_private(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in LOOPBACK


def _host(hook: CampaignHook, seen: Sequence[Seen], error: CampaignError | None) -> Finding:
    url = hook.fields.settings.base_url
    status = error.status if isinstance(error, VendorError) else None
    if not seen and status is None:
        return Finding("host", "failed", written(f"{url}: {error}", 500))
    if status is not None and (status in NO_API or not isinstance(error, CallRefusedError)) and status != THROTTLED:
        return Finding("host", "failed", written(f"{url} answers, but not as the vendor does: {error}", 500))
    took = f" in {(seen[0].answered - seen[0].asked) * 1_000:.0f} ms" if seen else ""
    return Finding("host", "ok", f"{url} answers{took}")


def _credentials(hook: CampaignHook, said: str, error: CampaignError | None) -> Iterator[Finding]:
    if error is None:
        yield Finding("credentials", "ok", written(said))
    elif isinstance(error, CallRefusedError) and error.status not in NO_API:
        yield Finding("credentials", "failed", written(hook.advice(error), 1_000))
    else:
        yield Finding("credentials", "info", "not known: the vendor did not answer for them")


def _limits(hook: CampaignHook, seen: Sequence[Seen], error: CampaignError | None) -> Iterator[Finding]:
    fields = hook.fields
    own = fields.requests_per_minute
    pace = f"{own:g} requests a minute" if own else "requests a minute as the vendor's pages say"
    said = [
        f"{name} {one.reply.headers[name]}" for one in seen[-1:] for name in LIMIT_HEADERS if name in one.reply.headers
    ]
    text = f"{pace}, time-out {fields.settings.timeout:g} s, {fields.policy.retry_limit} repeats"
    yield Finding("limits", "info", written("; ".join([text, *said])))
    statuses = [one.reply.status for one in seen] + ([error.status] if isinstance(error, VendorError) else [])
    if THROTTLED in statuses:
        left = "and still does: others use the account" if error else "and then answered"
        yield Finding("throttled", "failed" if error else "warning", f"the vendor asks to wait (429), {left}")


def _clock(seen: Sequence[Seen]) -> Iterator[Finding]:
    for one in seen:
        at = _date(one.reply.headers.get("date", ""))
        if at is not None:
            # The header has whole seconds, and was written between question and answer.
            early, late = at - one.answered, at + 1 - one.asked
            off = early if early > 0 else late if late < 0 else 0.0
            result: Result = "ok" if abs(off) <= CLOCKS_AGREE else "warning" if abs(off) <= CLOCKS_DIFFER else "failed"
            agree = (
                "as the vendor's"
                if result == "ok"
                else f"{abs(off):.0f} s {'behind' if off > 0 else 'ahead of'} the vendor's"
            )
            yield Finding("clock", result, f"this machine's clock is {agree}")
            return
    if seen:
        yield Finding("clock", "info", "the vendor sent no date")


def _date(header: str) -> float | None:
    try:
        found: datetime = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return found.timestamp()


def _facts(hook: CampaignHook, last: Seen) -> Iterator[Finding]:
    for fact in hook.dialect.facts(last.reply):
        text = written(f"{fact.name}: {fact.value}")
        if fact.holds is None:
            yield Finding("account", "info", text)
        else:
            yield Finding(
                "assumption", "ok" if fact.holds else "warning", f"{'confirmed' if fact.holds else 'differs'}: {text}"
            )
