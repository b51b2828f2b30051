"""
Airflow Variables, read and written by calls that raise when they fail.

``Variable.get`` and, on Airflow 3.0 to 3.2, ``Variable.set`` return normally when the metadata database could not be
asked, and ``Variable.get`` may answer from a cache. What rests on these Variables (what was sent, the one valid token)
must not be guessed, so the calls below them are used.
"""

from __future__ import annotations

import sys

from airflow_provider_campaigns.exceptions import CampaignError


class UnreadableVariableError(CampaignError):
    """The Variable is there, but not its text."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Airflow Variable {name} is there, but cannot be read (was the Fernet key changed?)")


def read(name: str) -> str | None:
    """
    Return the Variable's text, None when there is no such Variable.

    :raises UnreadableVariableError: there is one, and it cannot be decrypted.
    :raises Exception: whatever Airflow raises when the metadata database cannot be asked.
    """
    found, text = (_supervised_read if _is_supervised() else _direct_read)(name)
    if found and not text:
        # So an Airflow whose Fernet key was changed returns what it cannot decrypt.
        raise UnreadableVariableError(name)
    return text


def write(name: str, text: str, description: str) -> None:
    """Store the text in the Variable, or raise what Airflow raises."""
    (_supervised_write if _is_supervised() else _direct_write)(name, text, description)


def delete(name: str) -> None:
    """Delete the Variable, if there is one, or raise what Airflow raises."""
    (_supervised_delete if _is_supervised() else _direct_delete)(name)


def _is_supervised() -> bool:
    """
    Whether this process asks a supervisor: an Airflow 3 task or triggerer, but neither Airflow 2 nor the API server.

    Airflow's own ``models.Variable`` decides in the same way.
    """
    return hasattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS")


def _supervised_read(name: str) -> tuple[bool, str | None]:
    """Return whether there is such a Variable, and its text."""
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    reply = SUPERVISOR_COMMS.send(GetVariable(key=name))
    if isinstance(reply, ErrorResponse):
        if reply.error is ErrorType.VARIABLE_NOT_FOUND:
            return False, None
        raise AirflowRuntimeError(reply)
    return True, getattr(reply, "value", None)


def _supervised_write(name: str, text: str, description: str) -> None:
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.comms import ErrorResponse, PutVariable
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    reply = SUPERVISOR_COMMS.send(PutVariable(key=name, value=text, description=description))
    if isinstance(reply, ErrorResponse):
        raise AirflowRuntimeError(reply)


def _supervised_delete(name: str) -> None:
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.comms import DeleteVariable, ErrorResponse
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    reply = SUPERVISOR_COMMS.send(DeleteVariable(key=name))
    if isinstance(reply, ErrorResponse):
        raise AirflowRuntimeError(reply)


def _direct_read(name: str) -> tuple[bool, str | None]:
    """Return whether there is such a Variable, and its text."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        variable = session.scalar(select(Variable).where(Variable.key == name))
        return variable is not None, variable and variable.get_val()


def _direct_write(name: str, text: str, description: str) -> None:
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        Variable.set(name, text, description=description, session=session)


def _direct_delete(name: str) -> None:
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        Variable.delete(name, session=session)
