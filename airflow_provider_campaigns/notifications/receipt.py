"""Notifier that reports what became of a delivery, as a text that Slack, an e-mail or anything else can take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import BaseNotifier, redact

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.masking import mask, one_line

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

# The variable that another notifier's templates have the text in.
VARIABLE = "campaign_receipt"
STATUSES = ("accepted", "duplicate", "rejected", "invalid", "unsent", "unknown")
LONGEST_LINE = 500

# What would begin a tag in HTML, or a mention in Slack (<!channel>).
_PLAIN = str.maketrans("<>", "\u2039\u203a")


class CampaignReceiptNotifier(BaseNotifier):
    """
    Report the receipt of a task that delivers, by another notifier or a function.

    A callback of a task: ``on_success_callback``, ``on_failure_callback``, ``on_retry_callback``. The text has counts
    and no recipient; it is safe to put into HTML and into a Slack message, whatever names and vendors' words are in it.

    :param to: another notifier, in whose template fields the text is ``{{ campaign_receipt }}``; or a function that
        takes the text.
    :param task_id: the task that delivered; default the one whose callback this is (templated)
    :param title: a line before the text (templated)
    :raises InputError: ``to`` is neither.
    """

    template_fields: Sequence[str] = ("task_id", "title")

    def __init__(
        self, *, to: BaseNotifier | Callable[[str], object], task_id: str | None = None, title: str | None = None
    ) -> None:
        super().__init__()
        if not callable(to):
            raise InputError("to", "a notifier, or a function that takes a text", type(to).__name__)
        self.to = to
        self.task_id = task_id
        self.title = title

    def notify(self, context: Context) -> None:
        """Make the text, and hand it on."""
        values = cast("dict[str, Any]", context)
        text = self._text(values)
        if isinstance(self.to, BaseNotifier):
            # A value, not a template: what is in it is never rendered.
            values[VARIABLE] = text
            self.to(context)
        else:
            self.to(text)

    def _text(self, context: Mapping[str, Any]) -> str:
        ti = context["ti"]
        task_id = self.task_id or ti.task_id
        index = ti.map_index if task_id == ti.task_id and ti.map_index is not None else -1
        receipt = ti.xcom_pull(task_ids=task_id, key="receipt", map_indexes=index)
        where = f"DAG {ti.dag_id}, task {task_id}{f' [{index}]' if index >= 0 else ''}, run {ti.run_id}"
        lines = [self.title or "", *(_lines(receipt) or ["No receipt: the delivery did not begin"]), where]
        if error := context.get("exception"):
            lines.append(f"Failed: {mask(str(redact(str(error))))}")
        if ti.log_url:
            lines.append(f"Log: {ti.log_url}")
        return "\n".join(_plain(line) for line in lines if line)


def _lines(receipt: Any) -> list[str]:
    """Return a receipt as lines of text; none of something else."""
    if not isinstance(receipt, Mapping) or not isinstance(receipt.get("contacts"), int):
        return []
    counts = [f"{receipt[name]:,} {name}" for name in STATUSES if isinstance(receipt.get(name), int) and receipt[name]]
    lines = [
        f"Campaign {receipt.get('campaign')} ({receipt.get('vendor')}): {receipt['contacts']:,} contacts",
        ", ".join(counts) or "nobody was contacted",
    ]
    if receipt.get("unknown"):
        lines.append("Of unknown ones it is not known whether they were reached; they are not sent again by themselves")
    if receipt.get("warning"):
        lines.append(f"Warning: {mask(str(receipt['warning']))}")
    if receipt.get("outcomes_path"):
        lines.append(f"Outcomes: {receipt['outcomes_path']}")
    return lines


def _plain(line: str) -> str:
    """Return a line of text that means nothing but itself: no tag, no mention, no second line."""
    text = one_line(line).translate(_PLAIN)
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"
