"""Calls to the sandbox's Ozonetel, for the tests of it."""

from __future__ import annotations

from typing import Any

import requests

from airflow_provider_campaigns.sandbox.testing import SandboxClient

KEY = {"apiKey": "ozonetel-sandbox-key"}
USER = {"userName": "sandbox"}
PHONE = "+447700900001"
ADD = "/ca_apis/AddCampaignData"
SET = "/ca_apis/setCampaignStatus"
STATUS = "/ca_apis/campaignStatus"
TOKEN = "/ca_apis/CAToken/generateToken"
BULK = "/cloudAgentRestAPI/index.php/AddCampaignBulkDataV4/addBulkData/format/json"
REPORT = "/ca_reports/fetchCdrByPagination"
MINUTE, HOUR = 60, 3600


class Account:
    """The sandbox's account, signed in as its mode wants it."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self.sandbox = sandbox
        self.headers = {**KEY, "Authorization": f"Bearer {self.sign_in()}"}

    def sign_in(self) -> str:
        token: str = self.call("POST", TOKEN, {}, KEY).json()["token"]
        return token

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        headers: dict[str, str] | None = None,
        query: str = "",
    ) -> requests.Response:
        return requests.request(
            method,
            f"{self.sandbox.url}/ozonetel{path}{query}",
            json=None if body is None else {**USER, **body},
            headers=self.headers if headers is None else headers,
            timeout=5,
        )

    def add(self, *, headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
        """Add a lead to Demo; a field that is None is left out."""
        given = {"campaignName": "Demo", "phoneNumber": PHONE, **USER, **body}
        lead = {name: value for name, value in given.items() if value is not None}
        url = f"{self.sandbox.url}/ozonetel{ADD}"
        response = requests.post(url, json=lead, headers=self.headers if headers is None else headers, timeout=5)
        assert response.status_code == 200
        answer: dict[str, Any] = response.json()
        return answer

    def position(self, campaign: str = "Demo") -> str:
        answer = self.call("GET", STATUS, {"campaignName": campaign}).json()
        (position,) = [one["Position"] for one in answer["message"] if one["CampaignName"] == campaign]
        return str(position)

    def outcomes(self) -> list[tuple[str, str]]:
        return [(one["contact"], one["outcome"]) for one in self.sandbox.received("ozonetel")["contacts"]]


def says(status: str, message: str) -> dict[str, Any]:
    """Return a body as the table prints it: ``data`` is there only where the status is "false"."""
    return {"status": status, "message": message} | ({"data": None} if status == "false" else {})
