"""How the template fields of our operators and sensors are rendered: data stays data, and text stays text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from airflow.providers.common.compat.sdk import BaseOperator, XComArg
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.delivery.storage import is_path
from airflow_provider_campaigns.templating.hidden_field import Hidden
from airflow_provider_campaigns.templating.literals import Check, check_literals
from airflow_provider_campaigns.templating.mapped import WarningPartial

if TYPE_CHECKING or AIRFLOW_V_3_0_PLUS:
    from airflow.sdk.definitions._internal.templater import Templater
else:
    from airflow.template.templater import Templater

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from jinja2 import Environment

# What ``render_template_as_native_obj`` must not make of text: of "+15550100001" a number, of "1_000" another one.
SCALARS = (str, bytes, int, float, complex)


class TemplatedOperator(BaseOperator):
    """
    Base of all operators and sensors.

    - What an XCom gave is data, and never a template: also in ``expand_kwargs``, where Airflow would render it.
    - What the DAG's author wrote is a template. It is rendered to text in a DAG with ``render_template_as_native_obj``,
      too, but for a field that is one expression, which may give a list or another object, and for values in a dict
      (a payload).
    - In a field with recipients no text is the name of a file.
    """

    _given: Mapping[str, Any] = MappingProxyType({})
    """With a mapped task: the arguments of ``partial`` and those it is mapped over."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep what Airflow makes a mapped task with, before it adds default arguments."""
        task = super().__new__(cls)
        if kwargs.get("_airflow_from_mapped"):
            object.__setattr__(task, "_given", kwargs)
        return task

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Return Airflow's own ``partial``, whose ``expand`` warns of recipients that Airflow would store in clear."""
        return WarningPartial(cls, kwargs, super().partial(**kwargs))

    def literal_checks(self) -> Mapping[str, Check]:
        """Return what checks parameters that need no connection, by their names: also when the DAG is parsed."""
        return {}

    def check_literals(self) -> None:
        """
        Check parameters that are written into the DAG; each operator calls it at the end of its ``__init__``.

        :raises InputError: one is wrong, which is an import error of the DAG. Those of mapped tasks, and what a
            template or an upstream task gives, is checked when the task runs.
        """
        if not self._given:
            check_literals(self, self.literal_checks())

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render what is a template; Airflow calls it for each field, and for what is in them."""
        jinja_env = jinja_env or self.get_template_env()
        seen = set() if seen_oids is None else seen_oids
        if isinstance(content, Hidden):
            return content.replaced(self._recipients(content, context, jinja_env, seen))
        if isinstance(content, XComArg):
            # Airflow keeps those in the dicts of ``expand_kwargs`` as they are.
            return content.resolve(context)
        name = next((name for name in self.template_fields if getattr(self, name, None) is content), None)
        if name and (id(content) in seen or self._is_from_xcom(name, context)):
            return content
        if name and isinstance(content, (str, list, tuple)) and not self._is_file(content):
            return _to_text(content, context, jinja_env, seen)
        return super().render_template(content, context, jinja_env, seen)

    def _recipients(self, hidden: Hidden, context: Context, jinja_env: Environment, seen: set[int]) -> Any:
        value = hidden.value
        if isinstance(value, XComArg):
            return value.resolve(context)
        if hidden.rendered or id(value) in seen or self._is_from_xcom(hidden.field.name, context):
            return value
        if callable(value):
            return value(context=context, jinja_env=jinja_env)
        # Paths as text: some versions of Airflow call the ``resolve`` of a pathlib.Path to render it.
        return _to_text(str(value) if is_path(value) else value, context, jinja_env, seen)

    def _is_from_xcom(self, name: str, context: Context) -> bool:
        """Whether ``expand_kwargs`` took a field from an XCom, which Airflow itself does not tell from a literal."""
        dag = self.get_dag()
        task: Any = dag.task_dict.get(self.task_id) if dag else None
        rows: Any = getattr(getattr(task, "expand_input", None), "value", None)
        row = rows[context["ti"].map_index] if isinstance(rows, Sequence) else rows  # type: ignore[index]
        if not isinstance(row, XComArg) or name not in self._given:
            return False
        return self._given[name] is not task.partial_kwargs.get(name)

    def _is_file(self, content: Any) -> bool:
        return isinstance(content, str) and content.endswith(tuple(self.template_ext))


class _Texts(Templater):
    """Airflow's own rendering to text; no text is taken for the name of a file."""

    template_fields: Collection[str] = ()
    template_ext: Sequence[str] = ()


TEXTS = _Texts()


def _to_text(content: Any, context: Context, jinja_env: Environment, seen: set[int]) -> Any:
    """Render a field's value to text, or to the object that is the value of its only expression."""
    from jinja2 import Undefined
    from jinja2.nativetypes import NativeEnvironment

    if not isinstance(jinja_env, NativeEnvironment):
        return TEXTS.render_template(content, context, jinja_env, seen)
    found = []

    def as_text(value: Any) -> str:
        found.append(value)
        return str(value)

    rendered = TEXTS.render_template(content, context, jinja_env.overlay(finalize=as_text), seen)
    if isinstance(content, str) and len(found) == 1 and rendered == str(found[0]):
        return rendered if isinstance(found[0], (*SCALARS, Undefined)) else found[0]
    return rendered
