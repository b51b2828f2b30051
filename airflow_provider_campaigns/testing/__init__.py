"""Contract tests for a vendor of your own: subclass ``VendorContract`` in your tests. Needs pytest."""

from airflow_provider_campaigns.testing.contract import VendorContract
from airflow_provider_campaigns.testing.fault_proxy import FAULTS, Fault, FaultProxy

__all__ = ["FAULTS", "Fault", "FaultProxy", "VendorContract"]
