"""Base of the vendors' hooks: reads the connection, drives conversations, makes the form and the Test button."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_campaigns.compat import get_async_connection
from airflow_provider_campaigns.exceptions import CallRefusedError, CampaignError, VendorUnavailableError
from airflow_provider_campaigns.get_provider_info import connection_type
from airflow_provider_campaigns.hooks.account_tokens import MainThread, MaskedTokens
from airflow_provider_campaigns.hooks.fields import ConnectionFields
from airflow_provider_campaigns.identity import AllowList, Kind, UnreadableError, read_person
from airflow_provider_campaigns.protocol.dialect import Dialect
from airflow_provider_campaigns.protocol.messages import READS, Conversation, T
from airflow_provider_campaigns.protocol.pace import Pace, paced
from airflow_provider_campaigns.protocol.reading import Seen, read_only
from airflow_provider_campaigns.protocol.retry import call

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_campaigns.transports.asynchronous import AsyncTransport
    from airflow_provider_campaigns.transports.blocking import BlockingTransport

MakeTransport = Callable[[Callable[[float], Awaitable[None]], MainThread], "AsyncTransport"]


class CampaignHook(BaseHook):
    """
    Base of the vendors' hooks.

    The connection is looked up when it is first needed, never in ``__init__``.

    :param conn_id: id of the Airflow connection.
    """

    conn_type: ClassVar[str]
    hook_name: ClassVar[str]
    conn_name_attr: ClassVar[str]
    default_conn_name: ClassVar[str]
    default_host: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Airflow 2.11 to 3.1 makes a form only of methods that it finds in the class itself, not in its bases.
        for method in ("get_ui_field_behaviour", "get_connection_form_widgets"):
            setattr(cls, method, CampaignHook.__dict__[method])

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    @abstractmethod
    def make_dialect(self, fields: ConnectionFields) -> Dialect:
        """
        Return the vendor's dialect with the connection's credentials.

        :raises InputError: a field is missing or wrong.
        """

    @abstractmethod
    def check(self) -> Conversation[str]:
        """Make a read-only call that proves the credentials, and return a sentence for the person who pressed Test."""

    @cached_property
    def connection(self) -> Connection:
        """The Airflow connection."""
        return self.get_connection(self.conn_id)

    @cached_property
    def fields(self) -> ConnectionFields:
        """The connection's fields."""
        known = self.connection_type()["conn-fields"]
        return ConnectionFields(self.connection, self.default_host, known, self.conn_type)

    @cached_property
    def dialect(self) -> Dialect:
        """The vendor's dialect with this connection's credentials."""
        # If it is wrong, that must come out before anything is sent.
        _ = self.fields.campaign_page
        return self.make_dialect(self.fields)

    @cached_property
    def tokens(self) -> MaskedTokens:
        """Where the access token is kept, for vendors that have one."""
        return MaskedTokens()

    @cached_property
    def transport(self) -> BlockingTransport:
        """The transport of the blocking calls, with one pool of connections."""
        from airflow_provider_campaigns.transports.blocking import BlockingTransport

        return BlockingTransport(self.dialect, self.fields.settings, self.tokens)

    @property
    def only_recipients(self) -> tuple[str, ...]:
        """Patterns of the addresses that this connection may contact; empty: all."""
        return self.fields.only_recipients

    @property
    def region(self) -> str | None:
        """Country of phone numbers that are written without ``+``, None when the connection names none."""
        return self.fields.region

    def check_recipients(self, kind: Kind, values: Iterable[object], region: str | None = None) -> None:
        """
        Refuse to contact recipients that ``only_recipients`` of the connection does not allow.

        :param kind: what the vendor contacts.
        :param values: all recipients.
        :param region: country of phone numbers without ``+``; default the connection's.
        :raises InputError: one of them is not allowed.
        """
        allowed = AllowList(self.only_recipients)
        if not allowed:
            return
        for value in values:
            try:
                person = read_person(kind, value, region or self.region)
            except UnreadableError:
                person = None
            if person is None or not allowed.allows(person):
                expected = "recipients that its patterns fit (widen them, or use another connection)"
                raise self.fields.wrong("only_recipients", expected, value)

    def refuse_unchecked(self, what: str) -> None:
        """
        Refuse a call whose recipients are not known here, if the connection has ``only_recipients``.

        :param what: what it is, for the error.
        :raises InputError: the connection has.
        """
        if self.only_recipients:
            expected = "calls whose recipients can be checked (use a connection without only_recipients for others)"
            raise self.fields.wrong("only_recipients", expected, what)

    def campaign_url(self, campaign_id: str) -> str:
        """
        Return the address of a campaign in the vendor's dashboard, empty when it is not known.

        No vendor publishes it, so it is the extra ``campaign_url``.

        :param campaign_id: the campaign, collector or list.
        """
        return self.fields.campaign_page.replace("{campaign_id}", quote(campaign_id, safe=""))

    def requests_per_minute(self, documented: float | None) -> float | None:
        """
        Return the limit of requests a minute for a call: the connection's, else the documented one.

        A limit of the connection above the documented one is used, with a warning in the log.

        :param documented: what the vendor documents for this call; None for nothing.
        :return: None for no limit.
        """
        own = self.fields.requests_per_minute
        if own and documented and own > documented:
            self.log.warning(
                "requests_per_minute of connection %r is %g, but %s documents %g a minute for this call: unless the "
                "account may make more, use another connection for it",
                self.conn_id,
                own,
                self.hook_name,
                documented,
            )
        return own or documented

    @property
    def identity(self) -> dict[str, str]:
        """The account a delivery goes to: the connection and its host, never a key, which may be rotated."""
        return {"vendor": self.conn_type, "connection": self.conn_id, "host": self.fields.settings.base_url}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The account's credentials, to be hidden from text that people read."""
        return self.dialect.secrets

    def get_conn(self) -> BlockingTransport:
        """Return the transport."""
        return self.transport

    def run(self, conversation: Conversation[T]) -> T:
        """Drive a conversation to its result."""
        return self.transport.run(conversation)

    def stream(self, conversation: Conversation[Any], requests_per_minute: float | None = None) -> Iterator[Any]:
        """
        Yield the items of a paged conversation, page by page.

        :param requests_per_minute: how many such calls the vendor's page allows; pages are asked for at that pace, or
            at that of the connection.
        """
        return self.transport.stream(paced(conversation, Pace(self.requests_per_minute(requests_per_minute))))

    def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        params: Mapping[str, str | int | None] | None = None,
        *,
        allow_other_host: bool = False,
    ) -> Any:
        """
        Call an endpoint that this hook has no method for, signed and judged like every other call.

        :param method: HTTP method; GET, HEAD and OPTIONS are repeated after failures, the others only when it is
            certain that the vendor did not carry them out.
        :param path: path below the connection's host, or a whole URL.
        :param json: JSON body; None sends none.
        :param params: query parameters.
        :param allow_other_host: let a URL lead to another host than the connection's (or another scheme or port),
            which then gets the credentials, too.
        :return: the parsed JSON reply.
        :raises InputError: a URL leads to another host; or the connection has ``only_recipients``, and the method is
            another than GET, HEAD and OPTIONS.
        :raises VendorError: the call failed; see ``exceptions``.
        """
        if not allow_other_host:
            self.fields.settings.check_host(path)
        if method.upper() not in READS:
            self.refuse_unchecked(f"{method.upper()} {path}")
        return self.run(call(self.dialect, method, path, json=json, params=params))

    def look_up(self, campaign: str, key: str, since: datetime) -> str | None:
        """
        Look up at the vendor a contact whose outcome is unknown; nothing is changed.

        :param campaign: as a receipt names it.
        :param key: the contact's, as its outcome names it.
        :param since: when the delivery began.
        :return: a sentence; None: this vendor cannot be asked.
        :raises VendorError: the call failed.
        """
        return None

    async def async_transport(self) -> AsyncTransport:
        """
        Return a transport for triggers: ``async with await hook.async_transport() as transport``.

        The connection is looked up in the way that the running Airflow allows in an event loop.
        """
        from airflow_provider_campaigns.transports.asynchronous import AsyncTransport

        if "connection" not in self.__dict__:
            self.__dict__["connection"] = await get_async_connection(self.conn_id)
        return AsyncTransport(self.dialect, self.fields.settings, self.tokens)

    def sending_transport(self, concurrency: int) -> MakeTransport:
        """
        Return what makes the transport of a delivery in another thread; the connection is looked up here and now.

        :param concurrency: requests in flight.
        """
        from airflow_provider_campaigns.transports.asynchronous import AsyncTransport

        dialect, settings, tokens = self.dialect, self.fields.settings, self.tokens

        def make(sleep: Callable[[float], Awaitable[None]], in_main_thread: MainThread) -> AsyncTransport:
            tokens.in_main_thread = in_main_thread
            return AsyncTransport(dialect, settings, tokens, concurrency, sleep=sleep)

        return make

    def test_connection(self) -> tuple[bool, str]:
        """Check the connection with a read-only call (the Test button); tokens of running tasks stay valid."""
        try:
            return True, self.examine()
        except CampaignError as error:
            return False, self.advice(error)

    def examine(self, note: Callable[[Seen], object] | None = None) -> str:
        """
        Prove the credentials, without a request that could change anything, and return what was proved.

        :param note: is given each reply.
        :raises InputError: a field of the connection is wrong.
        :raises VendorError: they are not taken, or the vendor cannot be reached.
        """
        # What no read-only call would need: a misspelt region or pattern.
        _ = self.region, self.only_recipients
        self.tokens.must_share = True
        return self.run(read_only(self.check(), note))

    def advice(self, error: CampaignError) -> str:
        """Return what a failed ``examine`` means for whoever entered the connection."""
        if isinstance(error, CallRefusedError):
            return f"{str(error).rstrip('.')}. Check {self._credentials()} and extras of the connection"
        if isinstance(error, VendorUnavailableError):
            return f"{error}. Check host, port and proxy of the connection"
        return str(error)

    def _credentials(self) -> str:
        """Return what the form calls login and password, with their names in the connection."""
        labels = self.get_ui_field_behaviour()["relabeling"]
        return ", ".join(f"{labels[name]} ({name})" for name in ("login", "password") if name in labels)

    @classmethod
    def connection_type(cls) -> dict[str, Any]:
        """
        Return the description of the connection type, as provider info has it.

        A vendor in a package of its own overrides this, and returns what its own provider info declares; see
        ``get_provider_info.describe_connection_type``.
        """
        return connection_type(cls.conn_type)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the form's hidden and relabelled fields (Airflow 2.11 to 3.1)."""
        behaviour = cls.connection_type()["ui-field-behaviour"]
        return {name.replace("-", "_"): value for name, value in behaviour.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's extra fields (Airflow 2.11 to 3.1)."""
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from wtforms import PasswordField, StringField
        from wtforms.validators import Optional

        widgets = {}
        for name, spec in cls.connection_type()["conn-fields"].items():
            hidden = spec["schema"].get("format") == "password"
            widgets[name] = (PasswordField if hidden else StringField)(
                spec["label"],
                validators=[Optional()],
                widget=BS3PasswordFieldWidget() if hidden else BS3TextFieldWidget(),
                description=spec.get("description", ""),
                default=spec["schema"].get("default"),
            )
        return widgets
