"""What Airflow discovers: connection types with their forms, hooks, links, decorators. Imports nothing heavy."""

from __future__ import annotations

import copy
from typing import Any

from airflow_provider_campaigns import __version__

# One type beside null: for two, Airflow's UI shows six lines of text.
_NUMBER = ["number", "null"]

# Airflow 3.3.1 and 3.3.2 refuse to test a connection that has no port (apache/airflow#73298).
_PORT = "443; the Test button of Airflow 3.3 needs one"

# Extra fields of every connection.
_SHARED_FIELDS: dict[str, Any] = {
    "timeout": {
        "label": "Timeout (seconds)",
        "description": "How long one request may take. Default 30.",
        "schema": {"type": _NUMBER, "default": 30},
    },
    "retry_limit": {
        "label": "Retry limit",
        "description": "How often a request that was not carried out is repeated. Default 3.",
        "schema": {"type": _NUMBER, "default": 3},
    },
    "max_reply_mb": {
        "label": "Largest reply (MB)",
        "description": "How large one reply may be. Default 64.",
        "schema": {"type": _NUMBER, "default": 64},
    },
    "requests_per_minute": {
        "label": "Requests per minute",
        "description": "A limit for every call, in place of the vendor's own. Tasks that run at the same time share it "
        "only with a history database: without one, divide the account's limit.",
        "schema": {"type": _NUMBER},
    },
    "only_recipients": {
        "label": "Only recipients",
        "description": "Patterns such as *@example.com, separated by commas; nobody else is ever contacted.",
        "schema": {"type": ["string", "null"]},
    },
    "campaign_url": {
        "label": "Campaign page",
        "description": "A campaign's address in your dashboard, with {campaign_id} in it: where tasks link to.",
        "schema": {"type": ["string", "null"]},
    },
    "proxy": {
        "label": "Proxy",
        "description": "URL of an HTTP proxy; empty takes the environment's.",
        "schema": {"type": ["string", "null"]},
    },
    "verify": {
        "label": "Verify TLS",
        "description": "true, false, or the path of a file with trusted authorities.",
        "schema": {"type": ["string", "null"], "default": "true"},
    },
}

# Extra field of connections to vendors that ring numbers or write to them.
_REGION: dict[str, Any] = {
    "region": {
        "label": "Region of phone numbers",
        "description": "Two letters, e.g. IN, for numbers written without a country code.",
        "schema": {"type": ["string", "null"]},
    },
}

_XEBO = {
    "connection-type": "xebo",
    "hook-class-name": "airflow_provider_campaigns.hooks.xebo.XeboHook",
    "hook-name": "Xebo",
    "ui-field-behaviour": {
        "hidden-fields": ["schema"],
        "relabeling": {"host": "API host", "login": "E-mail", "password": "Password"},
        "placeholders": {"host": "https://az4-api.xebo.ai", "port": _PORT, "login": "empty with an API key"},
    },
    "conn-fields": {
        "api_key": {
            "label": "API key",
            "description": "Copied from the platform; used instead of e-mail and password.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "login_url": {
            "label": "Login URL",
            "description": "Base of the sign-in call; /api/v1/oauth/token is appended.",
            "schema": {"type": ["string", "null"], "default": "https://api.xebo.ai"},
        },
        "send_path": {
            "label": "Send path",
            "description": "Path of the call that sends surveys, with {collector_id}; the vendor documents two.",
            "schema": {"type": ["string", "null"], "default": "/v2/api/collectors/{collector_id}/campaigns"},
        },
        **_REGION,
        **_SHARED_FIELDS,
    },
}

_COLLECT = {
    "connection-type": "collect",
    "hook-class-name": "airflow_provider_campaigns.hooks.collect.CollectHook",
    "hook-name": "Collect",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "login"],
        "relabeling": {"host": "API host", "password": "API key"},
        "placeholders": {
            "host": "https://api.usecollect.com",
            "port": _PORT,
            "password": "bottom of your profile page",
        },
    },
    "conn-fields": _SHARED_FIELDS,
}

_XTREMEPUSH = {
    "connection-type": "xtremepush",
    "hook-class-name": "airflow_provider_campaigns.hooks.xtremepush.XtremepushHook",
    "hook-name": "Xtremepush",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "login"],
        "relabeling": {"host": "API host", "password": "App token"},
        "placeholders": {
            "host": "https://external-api.xtremepush.com",
            "port": _PORT,
            "password": "Settings > Integrations > API Integration",
        },
    },
    "conn-fields": _SHARED_FIELDS,
}

_OZONETEL = {
    "connection-type": "ozonetel",
    "hook-class-name": "airflow_provider_campaigns.hooks.ozonetel.OzonetelHook",
    "hook-name": "Ozonetel CloudAgent",
    "ui-field-behaviour": {
        "hidden-fields": ["schema"],
        "relabeling": {"host": "API host", "login": "User name", "password": "API key"},
        "placeholders": {
            "host": "https://in1-ccaas-api.ozonetel.com",
            "port": _PORT,
            "login": "CloudAgent account user name",
        },
    },
    "conn-fields": {
        "auth_mode": {
            "label": "API authentication",
            "description": "The account's setting: token (TOKEN_AUTH) or basic (BASIC_AUTH).",
            "schema": {"type": "string", "enum": ["token", "basic"], "default": "token"},
        },
        **_REGION,
        **_SHARED_FIELDS,
    },
}

_EXOTEL = {
    "connection-type": "exotel",
    "hook-class-name": "airflow_provider_campaigns.hooks.exotel.ExotelHook",
    "hook-name": "Exotel",
    "ui-field-behaviour": {
        "hidden-fields": ["schema"],
        "relabeling": {"host": "API host", "login": "API key", "password": "API token"},
        "placeholders": {
            "host": "https://api.exotel.com (Mumbai: https://api.in.exotel.com)",
            "port": _PORT,
            "login": "required; see API settings in the dashboard",
            "password": "required; see API settings in the dashboard",
        },
    },
    "conn-fields": {
        "account_sid": {
            "label": "Account SID",
            "description": "Required; from the API settings of the Exotel dashboard.",
            # Null as well: else the form's Save button waits until the extra fields are opened.
            "schema": {"type": ["string", "null"]},
        },
        **_REGION,
        **_SHARED_FIELDS,
    },
}

_CONFIG: dict[str, Any] = {
    "campaigns": {
        "description": "Options of airflow-provider-campaigns.",
        "options": {
            "outcomes_umask": {
                "description": "Rights (octal, as in umask) that local files and folders with personal data do not "
                "have: outcomes, copies of queries, exports. By default only the user that runs the task reads them.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "027",
                "default": "077",
            },
            "contacts_roots": {
                "description": "Absolute paths and URLs, separated by commas, below which contacts, exclude, "
                "outcomes_path and output_path must lie. Unset: anywhere. Whoever may set one of them when a DAG is "
                "triggered then reads and writes any file and URL that the worker does.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "/data/contacts,s3://aws_default@bucket/contacts",
                "default": "",
            },
            "history_conn_id": {
                "description": "Id of the Airflow connection to the database (PostgreSQL, MySQL, SQLite) that keeps "
                "who was contacted when, over all deliveries: for caps, the suppression list, one pace per account, "
                "and the record of tries. Unset: nothing is kept beyond a task.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "campaign_history",
                "default": "",
            },
            "frequency_cap": {
                "description": "How often a person may be contacted, over all deliveries: caps such as '1 per 7 days' "
                "or '3 per 30 days per channel', separated by commas. An operator's own frequency_cap takes the place "
                "of these. Needs history_conn_id.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "1 per 7 days",
                "default": "",
            },
            "history_days": {
                "description": "Days after which history may be deleted; a person or a DAG does that, see "
                "docs/history.md.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": "400",
                "default": "400",
            },
        },
    },
}

_LINKS = ("campaign.CampaignLink", "exotel.ExotelCampaignLink", "exotel.ExotelReportLink", "collect.CollectPortalLink")

# Name of a decorator, and the module that has it.
_DECORATORS = {
    "trigger_survey": "xebo",
    "send_collect_requests": "collect",
    "execute_xtremepush_campaign": "xtremepush",
    "add_campaign_leads": "ozonetel",
}

_VENDORS = (
    (_XEBO, "https://www.xebo.ai"),
    (_COLLECT, "https://developers.usecollect.com"),
    (_XTREMEPUSH, "https://docs.xtremepush.com"),
    (_OZONETEL, "https://docs.ozonetel.com"),
    (_EXOTEL, "https://developer.exotel.com"),
)


def describe_connection_type(
    conn_type: str,
    hook_class_name: str,
    hook_name: str,
    behaviour: dict[str, Any],
    fields: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Describe the connection type of a vendor in a package of its own, with the extra fields that all vendors have.

    :param conn_type: name of the type, e.g. ``acme``.
    :param hook_class_name: import path of the hook.
    :param hook_name: what the form calls it.
    :param behaviour: ``hidden-fields``, ``relabeling`` and ``placeholders`` of the form.
    :param fields: the vendor's own extra fields, by name: ``label``, ``description`` and JSON ``schema`` each.
    :return: an entry of ``connection-types`` in provider info, and what the hook's ``connection_type`` returns.
    """
    return {
        "connection-type": conn_type,
        "hook-class-name": hook_class_name,
        "hook-name": hook_name,
        "ui-field-behaviour": behaviour,
        "conn-fields": {**(fields or {}), **_SHARED_FIELDS},
    }


def connection_type(name: str) -> dict[str, Any]:
    """Return the description of one connection type, e.g. ``exotel``."""
    return next(vendor for vendor, _ in _VENDORS if vendor["connection-type"] == name)


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description (the ``apache_airflow_provider`` entry point)."""
    names = {vendor["hook-name"]: vendor["connection-type"] for vendor, _ in _VENDORS}

    def modules(kind: str) -> list[dict[str, Any]]:
        return [
            {"integration-name": title, "python-modules": [f"airflow_provider_campaigns.{kind}.{name}"]}
            for title, name in names.items()
        ]

    return {
        "package-name": "airflow-provider-campaigns",
        "name": "Campaigns",
        "description": "Runs outreach campaigns at Xebo, Collect, Xtremepush, Ozonetel CloudAgent and Exotel.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": vendor["hook-name"], "external-doc-url": url, "tags": ["service"]}
            for vendor, url in _VENDORS
        ],
        "hooks": modules("hooks"),
        "operators": modules("operators"),
        "sensors": modules("sensors"),
        "triggers": [
            {
                "integration-name": _EXOTEL["hook-name"],
                "python-modules": ["airflow_provider_campaigns.triggers.exotel"],
            }
        ],
        "extra-links": [f"airflow_provider_campaigns.links.{link}" for link in _LINKS],
        "notifications": ["airflow_provider_campaigns.notifications.receipt.CampaignReceiptNotifier"],
        "task-decorators": [
            {"name": name, "class-name": f"airflow_provider_campaigns.decorators.{module}.{name}_task"}
            for name, module in _DECORATORS.items()
        ],
        "cli": ["airflow_provider_campaigns.commands.definition.get_campaigns_commands"],
        "plugins": [
            {"name": "campaigns", "plugin-class": "airflow_provider_campaigns.plugins.campaigns.CampaignsPlugin"}
        ],
        "connection-types": [copy.deepcopy(vendor) for vendor, _ in _VENDORS],
        "config": copy.deepcopy(_CONFIG),
    }
