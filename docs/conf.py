"""Builds the documentation site with Sphinx: ``make docs``."""

import pkgutil
from importlib import import_module
from pathlib import Path

from airflow_provider_campaigns import __version__
from airflow_provider_campaigns.get_provider_info import get_provider_info

project = "airflow-provider-campaigns"
author = "airflow-provider-campaigns contributors"
copyright = author  # noqa: A001 - Sphinx's own name
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence"]
# Links such as delivery.md#what-is-repeated.
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "separated"

html_theme = "furo"
html_title = f"airflow-provider-campaigns {release}"
html_show_sphinx = False

VENDOR_SECTION = """
## {title}

```{{eval-rst}}
.. automodule:: {module}
   :members:
   :show-inheritance:
```
"""


def reference_page(room: str) -> str:
    """Return a page with a section per vendor that has a module in ``room``, in the order of provider info."""
    package = import_module(f"airflow_provider_campaigns.{room}")
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    vendors = {one["connection-type"]: one["hook-name"] for one in get_provider_info()["connection-types"]}
    sections = (
        VENDOR_SECTION.format(title=title, module=f"{package.__name__}.{vendor}")
        for vendor, title in vendors.items()
        if vendor in modules
    )
    return f"# {room.capitalize()}\n" + "".join(sections)


for room in ("operators", "decorators", "sensors", "hooks", "links", "triggers"):
    page = Path(__file__).parent / "reference" / f"{room}.md"
    page.write_text(reference_page(room))
