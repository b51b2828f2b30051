"""An auth manager by which a guest may read some DAGs only, for an Airflow of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

GUEST, ADMIN = "guest", "admin"
HIDDEN = "payroll_reminders"
"""The DAG that the guest may not read."""


class RestrictedAuthManager(SimpleAuthManager):
    """Hides a DAG, and all it has, from the guest."""

    def is_authorized_dag(self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        """Whether the user may do something with a DAG."""
        if user.get_name() == GUEST and details and details.id == HIDDEN:
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)


def settings(home: Path) -> dict[str, str | None]:
    """Return the settings of an Airflow where both users sign in with their names as passwords."""
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({GUEST: GUEST, ADMIN: ADMIN}))
    return {
        "AIRFLOW__CORE__AUTH_MANAGER": f"{__name__}.{RestrictedAuthManager.__name__}",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin,{GUEST}:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }
