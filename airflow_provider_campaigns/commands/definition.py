"""Which commands there are, and their arguments; what they do is imported when one of them runs."""

from __future__ import annotations

from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_provider_campaigns.get_provider_info import get_provider_info

FORMATS = ("table", "json", "yaml")
VENDORS = tuple(kind["connection-type"] for kind in get_provider_info()["connection-types"])
STATES = ("running", "complete", "incomplete")
KINDS = ("phone", "email", "id")

_OUTPUT = Arg(("-o", "--output"), help="table (default), json or yaml", choices=FORMATS, default="table")
_VERBOSE = Arg(("-v", "--verbose"), help="show what is logged, too", action="store_true")
_YES = Arg(("-y", "--yes"), help="do not ask whether to continue", action="store_true")

_DAG = Arg(("dag_id",), help="the DAG")
_RUN = Arg(("run_id",), help="the DAG run")
_TASK = Arg(("task_id",), help="the task")
_INDEX = Arg(("--map-index",), help="of a mapped task; default: it is not mapped", type=int, default=-1)
_TASK_INSTANCE = (_DAG, _RUN, _TASK, _INDEX)

_FILTERS = (
    Arg(("--dag-id",), help="deliveries of this DAG only", default=""),
    Arg(("--run-id",), help="of this DAG run only", default=""),
    Arg(("--task-id",), help="of this task only", default=""),
    Arg(("--vendor",), help=f"to this vendor only: {', '.join(VENDORS)}", default=""),
    Arg(("--since",), help="that began then or later: 2026-03-01, 2026-03-01T18:00+05:30, or 7d, 12h, 30m ago"),
)
_LIMIT = Arg(("--limit",), help="how many at the most (default 50)", type=int, default=50)
_HISTORY = Arg(("--history-conn-id",), help="connection to the history; default: history_conn_id of the configuration")
_PEOPLE = (
    Arg(("file",), help="path or URL of a file of contacts, as the parameter exclude takes it"),
    Arg(("--kind",), help="what names a person: phone, email or id", choices=KINDS, required=True),
    Arg(("--column",), help="the column that has it; default: the only one"),
    Arg(("--region",), help="country of phone numbers without +, two letters"),
    _HISTORY,
)


def _command(name: str, function: str, text: str, args: tuple[Any, ...], description: str | None = None) -> Any:
    run = lazy_load_command(f"airflow_provider_campaigns.commands.{function}")
    return ActionCommand(name=name, help=text, func=run, args=(*args, _OUTPUT, _VERBOSE), description=description)


def campaign_commands() -> tuple[Any, ...]:
    """Return the commands."""
    return (
        _command(
            "deliveries",
            "deliveries.list_deliveries",
            "List deliveries, the latest first",
            (
                *_FILTERS,
                Arg(("--state",), help="in this state only: running, complete, incomplete", choices=STATES),
                Arg(("--search",), help="with this in the name of DAG, run, task or campaign", default=""),
                _LIMIT,
            ),
        ),
        _command(
            "show",
            "deliveries.show_delivery",
            "Show a delivery: counts, reasons, the first outcomes (masked)",
            (*_TASK_INSTANCE, Arg(("--status",), help="outcomes with this status only", default="")),
        ),
        _command(
            "unknown",
            "unknown.list_unknown",
            "List contacts of whom it is not known whether they were contacted",
            (
                *_FILTERS,
                Arg(("--ask",), help="ask the vendor, where it can be asked; nothing is changed", action="store_true"),
                Arg(("--conn-id",), help="connection to ask with; default: the delivery's, of which a history knows"),
                _LIMIT,
            ),
        ),
        _command(
            "resend",
            "choices.resend",
            "Let a cleared task send again to contacts whose outcome is unknown, once",
            (
                *_TASK_INSTANCE,
                Arg(("--everybody",), help="send to all of its contacts again", action="store_true"),
                _YES,
            ),
            "Sets the Variable campaigns_override. The task reads it when it is cleared; it counts once.",
        ),
        _command(
            "skip",
            "choices.skip",
            "Let a cleared task accept that some outcomes are unknown, once",
            (*_TASK_INSTANCE, _YES),
            "Sets the Variable campaigns_override. The task reads it when it is cleared; it counts once.",
        ),
        _command(
            "doctor",
            "doctor.doctor",
            "Check connections: host, credentials, limits, clock, settings; nothing is changed",
            (
                Arg(("conn_id",), help="connections; default: all of the vendors' types", nargs="*"),
                Arg(("--vendor",), help="connections of this type only", choices=VENDORS),
            ),
        ),
        GroupCommand(name="history", help="The history database", subcommands=_history_commands()),
        GroupCommand(name="suppress", help="The suppression list: whom no delivery contacts", subcommands=_suppress()),
    )


def _history_commands() -> tuple[Any, ...]:
    days = Arg(("--days",), help="keep as many days; default: history_days of the configuration", type=int)
    return (
        _command("init", "history.init", "Make the tables", (_HISTORY,)),
        _command("migrate", "history.migrate", "Bring the tables to the version of this release", (_HISTORY,)),
        _command("prune", "history.prune", "Delete what is older than some days", (days, _HISTORY, _YES)),
    )


def _suppress() -> tuple[Any, ...]:
    return (
        _command(
            "add",
            "suppression.add",
            "Put the people of a file on the list",
            (*_PEOPLE, Arg(("--reason",), help="why, for people who read the list", default="")),
        ),
        _command("remove", "suppression.remove", "Take the people of a file off the list", _PEOPLE),
        _command("list", "suppression.list_entries", "Show the list, the oldest entries first", (_HISTORY, _LIMIT)),
    )


def get_campaigns_commands() -> list[Any]:
    """Return the group ``campaigns``, for Airflow's own command line."""
    return [
        GroupCommand(name="campaigns", help="What was sent, and what needs somebody", subcommands=campaign_commands())
    ]
