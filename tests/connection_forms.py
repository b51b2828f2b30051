"""
Prints, as JSON, what Airflow's UI makes of each connection type: its name, and the labels of its fields.

A script, since Airflow 3 puts stand-ins for the packages of Airflow 2's UI into ``sys.modules``.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from typing import Any


def label(field: Any) -> str:
    """Return the label of a field: JSON, or of wtforms."""
    return str(field["schema"]["title"] if isinstance(field, dict) else field.args[0])


def unwrap(name: str | None, *, hidden: bool = False) -> dict[str, Any]:
    return {"label": name, "hidden": hidden}


def forms_of_airflow_3() -> dict[str, Any]:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    return {
        form.connection_type: {
            "name": form.hook_name,
            "standard": {
                name: unwrap(field.title, hidden=field.hidden) for name, field in form.standard_fields if field
            },
            "extra": {name: label(field) for name, field in form.extra_fields.items()},
        }
        for form in HookMetaService.hook_meta_data()
        if form.connection_type and form.standard_fields and form.extra_fields
    }


def forms_of_airflow_2() -> dict[str, Any]:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    forms: dict[str, dict[str, Any]] = {
        kind: {
            "name": hook.hook_name,
            "standard": {name: unwrap(None, hidden=True) for name in manager.field_behaviours[kind]["hidden_fields"]}
            | {name: unwrap(str(title)) for name, title in manager.field_behaviours[kind]["relabeling"].items()},
            "extra": {},
        }
        for kind, hook in manager.hooks.items()
        if hook and kind in manager.field_behaviours
    }
    for key, widget in manager.connection_form_widgets.items():
        _, kind, name = key.split("__", 2)
        forms.setdefault(kind, {"extra": {}})["extra"][name] = label(widget.field)
    return forms


if __name__ == "__main__":
    made = forms_of_airflow_3() if find_spec("airflow.api_fastapi") else forms_of_airflow_2()
    # Airflow logs to stdout too, before this line.
    sys.stdout.write("\n" + json.dumps(made))
