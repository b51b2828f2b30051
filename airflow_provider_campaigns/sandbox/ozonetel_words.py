"""Ozonetel's replies, ``(status, message)``, spelled as on its pages."""

from __future__ import annotations

Answer = tuple[str, str]

# The table "Possible responses" of post_ca-apis-addcampaigndata.
TOKEN_EXPIRED = ("false", "Token Expired")
TOKEN_EMPTY = ("false", "Token Should Not be Null or Empty.")
WRONG_MODE = ("false", "Invalid action.")
KEY_MISSING = ("false", "Api Key Should Not be Null or Empty.")
USER_MISSING = ("false", "Username Should Not be Null or Empty.")
USER_INVALID = ("false", "Invalid User Details")
CAMPAIGN_MISSING = ("Error", "Please provide campaign details")
CAMPAIGN_UNKNOWN = ("FAIL", "No User Found or Campaign Name is Invalid")
CAMPAIGN_INBOUND = ("Fail", "The selected campaign is not outbound")
PHONE_INVALID = ("error", "phone number should be numeric and must be between 3 to 16 digits and allows prefix +")
PRIORITY_EMPTY = ("Error", "The priority value must be numeric and range from 0 to 99.")
DATE_INVALID = ("Error", "Invalid date format. Please enter date in format yyyy-MM-dd")
AGENT_EMPTY = ("FAIL", "Agent Is Empty!")
AGENT_INVALID = ("FAIL", "Agent is not correctly mapped!")
SKILL_INVALID = ("FAIL", "Please provide valid skill")
DUPLICATE = ("SUCCESS", "Number Already Exist")
DUPLICATE_OTHER_SKILL = ("Success", "Number Already Existed")
ADDED = ("SUCCESS", "SuccessFully Updated")

# The legacy endpoint's page.
PHONE_DND = ("FAIL", "PhoneNumber Added is a DND Number")
# delete_ca-apis-deletecampaigndata.
TOKEN_INVALID = ("false", "Invalid Token")
# delete_ca-apis-deletebulkdata.
TOO_MANY = ("Error", "Max limit exceeded")
# post_ca-apis-catoken-generatetoken.
TOKEN_USER_MISSING = ("false", "UserName is null")
TOKEN_USER_INVALID = ("false", "Invalid userName or apiKey")
# put_ca-apis-setcampaignstatus, get_ca-apis-campaignstatus.
PARAMETER_MISSING = ("failure", "All parameters are mandatory")
NO_RECORD = ("failure", "no record found")
# get_ca-reports-fetchcdrbypagination.
REPORT_USER_MISSING = ("false", "Missing userName or apiKey")
REPORT_USER_INVALID = ("false", "userName or apiKey is Invalid")
PERIOD_MISSING = ("fail", "Missing fromDate and toDate")

# For errors by HTTP status; only 401 and 429 are on a page.
ERRORS = {
    400: ("Error", "Bad Request"),
    401: TOKEN_EXPIRED,
    404: ("Error", "Not Found"),
    405: ("Error", "Method Not Allowed"),
    429: TOO_MANY,
    500: ("Error", "Internal Server Error"),
    503: ("Error", "Service Unavailable"),
}
# Answers that are no refusal although nothing was added.
DUPLICATES = frozenset({DUPLICATE, DUPLICATE_OTHER_SKILL})
# Refusals of the caller, not of what was sent.
UNAUTHORIZED = frozenset(
    {TOKEN_EXPIRED, TOKEN_EMPTY, TOKEN_INVALID, WRONG_MODE, KEY_MISSING, USER_MISSING, USER_INVALID}
    | {TOKEN_USER_MISSING, TOKEN_USER_INVALID}
)


def started(campaign: str) -> Answer:
    """Return the words for a lead added with ``action`` START."""
    return "SUCCESS", f"SuccessFully Updated, {campaign} was started"


def already_started(campaign: str) -> Answer:
    """Return the words for a lead added to a campaign that runs."""
    return "Success", f"Campaign {campaign} Is Already Started"


def stopped(campaign: str) -> Answer:
    """Return the words for a lead added with ``action`` stop."""
    return "Success", f"SuccessFully Updated {campaign} Campaign Stoped"


def updated(campaign: str) -> Answer:
    """Return the words for a misspelt ``action`` key, and for rows about priority and expiryDate without an action."""
    return "Success", f"SuccessFully Updated {campaign} Campaign"


def updated_without_action(campaign: str) -> Answer:
    """Return the words for a blank, missing or invalid ``action``."""
    return "Success", f"Please pass the valid Campaign action SuccessFully Updated {campaign} Campaign Data"


def status_set(campaign: str, action: str) -> Answer:
    """Return the words of setCampaignStatus; ``action`` is ``Start`` or ``Stop``."""
    return "SUCCESS", f"SUCCESSFULLY UPDATED, {campaign} was {'started' if action == 'Start' else 'stopped'}"


def wrong_time(name: str) -> Answer:
    """Return the words of the reports for a malformed ``fromDate`` or ``toDate``."""
    return "fail", f"Invalid {name} format. Please enter date in format yyyy-MM-dd HH:mm:ss"
