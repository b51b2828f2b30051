"""All of a sandbox's state in one place: the clock, what was received, the faults ordered, and the vendors found."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import airflow_provider_campaigns.sandbox as package
from airflow_provider_campaigns.sandbox.faults import Faults
from airflow_provider_campaigns.sandbox.state import Clock, Journal
from airflow_provider_campaigns.sandbox.vendor import Vendor


class World:
    """
    One sandbox.

    :param limits: whether requests per minute and per hour are limited; limits on sizes always are.
    :param speed: sandbox seconds per real second.
    """

    def __init__(self, *, limits: bool = True, speed: float = 1.0) -> None:
        self.clock = Clock(speed)
        self.journal = Journal()
        self.faults = Faults()
        self.latency = 0.0
        """Real seconds every vendor's reply is held back."""
        self.vendors = {kind.name: kind(self.clock, limits=limits) for kind in vendor_classes()}

    def reset(self) -> None:
        """Return to the state after the start."""
        self.clock.reset()
        self.journal.clear()
        self.faults.active.clear()
        self.latency = 0.0
        for vendor in self.vendors.values():
            vendor.reset()


def vendor_classes() -> list[type[Vendor]]:
    """Return the vendors that the modules of this package define, by name."""
    found: set[type[Vendor]] = set()
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            classes = (kind for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass))
            found.update(kind for kind in classes if issubclass(kind, Vendor) and not inspect.isabstract(kind))
    return sorted(found, key=lambda kind: kind.name)
