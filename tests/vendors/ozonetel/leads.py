"""What the tests of Ozonetel's leads share: an account, its two calls, and a reply."""

from __future__ import annotations

from airflow_provider_campaigns.vendors.ozonetel.dialect import Ozonetel
from airflow_provider_campaigns.vendors.ozonetel.send import AddCampaignBulkData, AddCampaignLead

ACCOUNT = Ozonetel(user_name="example-user", api_key="example-key")
LEAD = AddCampaignLead(ACCOUNT, "Spring")
BULK = AddCampaignBulkData(ACCOUNT, "Spring")
PHONE = "+447700900123"
ADDED = {"status": "SUCCESS", "message": "SuccessFully Updated"}
