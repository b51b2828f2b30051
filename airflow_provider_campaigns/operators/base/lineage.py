"""What a delivery read and where it went, for OpenLineage; imported only where its client is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import attr
from openlineage.client.generated.base import InputDataset, OutputDataset, RunFacet
from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet
from openlineage.client.generated.sql_job import SQLJobFacet

from airflow_provider_campaigns.delivery.record.outcome import STATUSES
from airflow_provider_campaigns.delivery.storage import is_path
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.templating.hidden_field import unwrap

if TYPE_CHECKING:
    from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator

# Files of a list that are named one by one.
MOST_INPUTS = 100


@attr.define
class CampaignReceiptRunFacet(RunFacet):
    """The receipt of a delivery: how many contacts ended how."""

    contacts: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    invalid: int = 0
    capped: int = 0
    unsent: int = 0
    unknown: int = 0
    requests: int = 0


class Lineage(NamedTuple):
    """What OpenLineage gets: the source of the contacts, the vendor's campaign, counts, and a query."""

    inputs: list[InputDataset]
    outputs: list[OutputDataset]
    run_facets: dict[str, RunFacet]
    job_facets: dict[str, SQLJobFacet]


def lineage_of(operator: CampaignDeliveryOperator[Any], receipt: Mapping[str, Any]) -> Lineage:
    """
    Return the lineage of a delivery; no recipient is in it.

    The campaign is the dataset ``<vendor>://<host>``, ``<campaign>``; files are named as OpenLineage names them.

    :param receipt: of the delivery.
    """
    host = urlsplit(operator.hook.identity["host"]).netloc
    rows = OutputStatisticsOutputDatasetFacet(rowCount=receipt["accepted"])
    campaign = OutputDataset(
        namespace=f"{receipt['vendor']}://{host}",
        name=str(receipt["campaign"]),
        outputFacets={"outputStatistics": rows},
    )
    counts = {name: receipt[name] for name in ("contacts", *STATUSES, "requests")}
    sql = unwrap(operator.sql)
    return Lineage(
        inputs=[*_files(unwrap(operator.contacts))] if not sql else [*_tables(operator, sql)],
        outputs=[campaign],
        run_facets={"campaignReceipt": CampaignReceiptRunFacet(**counts)},
        job_facets={"sql": SQLJobFacet(query=mask(str(sql)))} if sql else {},
    )


def _files(contacts: Any) -> Iterator[InputDataset]:
    """Yield the files of contacts; none of contacts that are in the DAG, an XCom or a table in memory."""
    paths = contacts if isinstance(contacts, (list, tuple)) else [contacts]
    for path in paths[:MOST_INPUTS]:
        if is_path(path):
            namespace, name = _location(str(path))
            yield InputDataset(namespace=namespace, name=name)


def _location(path: str) -> tuple[str, str]:
    """Return namespace and name of a path or URL; an id of an Airflow connection in it is left out."""
    if "://" not in path or path.startswith("file://"):
        return "file", str(Path(path.removeprefix("file://")).absolute())
    scheme, _, rest = path.partition("://")
    place, _, name = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}", name or "/"


def _tables(operator: CampaignDeliveryOperator[Any], sql: str) -> Sequence[InputDataset]:
    """Return the tables that a query reads, as far as Airflow's OpenLineage provider finds them."""
    # The provider, the hook or the query may be of any kind; a delivery that is over must not fail for its lineage.
    with suppress(Exception):
        from airflow.providers.common.compat.sdk import BaseHook
        from airflow.providers.openlineage.sqlparser import SQLParser

        connection = BaseHook.get_connection(str(operator.sql_conn_id))
        hook = connection.get_hook()
        information = hook.get_openlineage_database_info(connection)
        # This asks the database; without an answer the names of its tables would be wrong.
        schema = hook.get_openlineage_default_schema()
        parser = SQLParser(dialect=hook.get_openlineage_database_dialect(connection), default_schema=schema)
        parsed = parser.parse(sql)
        namespace = parser.create_namespace(information)
        tables, _ = parser.get_metadata_from_parser(parsed.in_tables, parsed.out_tables, information, namespace)
        return [InputDataset(namespace=table.namespace, name=table.name) for table in tables]
    return []
