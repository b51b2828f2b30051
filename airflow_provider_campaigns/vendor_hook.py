"""How an operator or sensor comes to its vendor's hook: it names the class, which is imported when it is first used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Generic, cast

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from airflow_provider_campaigns.hooks.base import CampaignHook

    Hook_co = TypeVar("Hook_co", bound="CampaignHook", default="CampaignHook", covariant=True)
else:
    from typing import TypeVar

    # Python 3.11 has no defaults of type variables.
    Hook_co = TypeVar("Hook_co", covariant=True)


class WithHook(Generic[Hook_co]):
    """
    Base of what has a vendor's hook: ``class MySensor(WithHook["MyHook"], BaseSensorOperator)``.

    The id of the connection is the attribute that the hook names: ``conn_name_attr``.
    """

    hook_class: ClassVar[str] = ""
    """Import path of the hook's class: an operator is parsed often, and rarely needs what the class imports."""

    @cached_property
    def hook(self) -> Hook_co:
        """
        The vendor's hook.

        :raises TypeError: the class of the operator or sensor names none.
        """
        # Not before it is needed: with it, Airflow 3.2 loads more than a DAG that is parsed needs.
        from airflow.providers.common.compat.module_loading import import_string

        if not self.hook_class:
            raise TypeError(f"{type(self).__name__} names its hook in no hook_class")
        kind = import_string(self.hook_class)
        return cast("Hook_co", kind(getattr(self, kind.conn_name_attr)))
