"""
Splits contacts into shards, for mapped tasks; all rows of one person are in the same shard on every try.

======================================  =============================================================================
a crash …                               the next try …
======================================  =============================================================================
while the contacts are read             reads them again: nothing was written
between two shards                      finds those that are written by their names, which hold their fingerprints
before ``shards.json`` is written       does the same; no task has been given a shard yet
afterwards                              returns the same paths
======================================  =============================================================================

A try that finds ``shards.json`` keeps to it. Rows that a shard had then keep their places, whatever the order in which
the source has them now, and others are added at the end, which is what a delivery that has begun allows. A shard keeps
its place among the paths, too, for a mapped task finds its record by its map index.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.delivery.plan.column_names import OwnNames
from airflow_provider_campaigns.delivery.plan.shard_spool import ShardSpool
from airflow_provider_campaigns.delivery.plan.sources import Options, Source, open_source
from airflow_provider_campaigns.delivery.plan.sources.database import database
from airflow_provider_campaigns.delivery.plan.sources.options import parse_options
from airflow_provider_campaigns.delivery.plan.sources.query import Query
from airflow_provider_campaigns.delivery.plan.sources.rows import Fields, Row, rows_of
from airflow_provider_campaigns.delivery.plan.sources.values import json_line, json_value, no_json
from airflow_provider_campaigns.delivery.storage import locate, open_text, write_whole
from airflow_provider_campaigns.exceptions import InputError, LedgerError
from airflow_provider_campaigns.identity import UnreadableError, known_region, read_email, read_id, read_phone
from airflow_provider_campaigns.parameters import parse_positive_int

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.storage import AnyPath

log = logging.getLogger(__name__)

MANIFEST = "shards.json"
"""The file that says how a folder was cut; written last."""

# Characters of a fingerprint that a file's name has.
SHOWN = 16


def shard_contacts(
    contacts: Any = None,
    *,
    shards: int,
    folder: str | os.PathLike[str],
    key: str | Sequence[str],
    sql: str | None = None,
    sql_conn_id: str | None = None,
    region: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> list[str]:
    """
    Cut contacts into shards, a file each, and return their paths, for ``.expand(contacts=…)`` of a mapped operator.

    All rows of one person, in whatever spelling, are in one shard, and always in the same one. Called again for the
    same folder, as by a retry, it returns the same paths, and keeps the order that the rows had.

    :param contacts: what operators take as ``contacts``; also an iterator of dicts, which is read once. This, or
        ``sql``.
    :param shards: how many. A shard that nobody is in has no file.
    :param folder: a folder of this run's own (path or URL), e.g. with ``{{ run_id }}``, that all workers see. Local
        files can be read by their owner alone, unless ``[campaigns] outcomes_umask`` says otherwise.
    :param key: the column with the phone number, e-mail address or id; of several, the first that is not blank counts.
    :param sql: a query that returns a contact per row.
    :param sql_conn_id: id of the Airflow connection to the database.
    :param region: country of phone numbers without ``+``, as the connection to the vendor has it (ISO 3166: ``IN``).
    :param encoding: of text files that are not UTF-8.
    :param delimiter: between the columns of text files; default: found from the file.
    :return: paths or URLs of ``shard-<number>-of-<shards>-<fingerprint>.jsonl``.
    :raises InputError: the contacts cannot be read, or there are none; the folder cannot be written to, or was cut in
        another way.
    :raises LedgerError: what an earlier try wrote there is damaged.
    """
    cut = _Cut(_number(shards), tuple([key] if isinstance(key, str) else key), known_region(region))
    if not cut.key or not all(isinstance(name, str) and name for name in cut.key):
        raise InputError("key", "the name of a column, or several", repr(key))
    if not str(folder).strip():
        raise InputError("folder", "a path or URL", "nothing")
    source = _open(contacts, sql, sql_conn_id, parse_options(encoding, delimiter))
    try:
        return _ShardFolder(locate(folder), cut).fill(source)
    except (InputError, LedgerError):
        raise
    except (ImportError, OSError, ValueError) as error:
        raise InputError("folder", "a folder, path or URL, that can be written to", error) from error


def _number(shards: Any) -> int:
    number = parse_positive_int("shards", shards)
    if number is None:
        raise InputError("shards", "a whole number from 1", repr(shards))
    return number


def _open(contacts: Any, sql: str | None, sql_conn_id: str | None, options: Options) -> Source:
    if (contacts is None) == (not sql):
        raise InputError("contacts, sql", "exactly one of them", "both" if sql else "none")
    if sql and not sql_conn_id:
        raise InputError("sql_conn_id", "the id of a connection to a database", "nothing")
    if sql:
        lines = Query(sql, partial(database, str(sql_conn_id))).lines()
        return Source("sql", lambda: map(_row_of_query, map(json.loads, lines)))
    if isinstance(contacts, Iterator):
        return Source("contacts", lambda: rows_of(contacts))
    return open_source(contacts, options=options)


def _row_of_query(value: Any) -> Row:
    # A query yields text in place of a row that cannot be read.
    return Row(0, {}, value) if isinstance(value, str) else Row(0, value)


@dataclass(frozen=True)
class _Cut:
    """
    Who is in which shard.

    :param shards: how many there are.
    :param key: the columns of which one names the person.
    :param region: of phone numbers.
    """

    shards: int
    key: tuple[str, ...]
    region: str | None

    def names(self) -> OwnNames:
        """Return what finds the columns of ``key`` in another spelling."""
        return OwnNames(self.key, exact=True)

    def place(self, fields: Fields, names: OwnNames, line: bytes) -> tuple[int, bytes]:
        """
        Return the shard of a row, from 0, and a digest of what names the person there.

        :param line: the row as it is written; names a row in which nothing else does.
        """
        value = self._value(fields, names)
        if value is None:
            digest = hashlib.sha256(line).digest()
            return self._shard(digest), digest
        identity = _identity(value, self.region)
        return self._shard(hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()), _digest(value)

    def _value(self, fields: Fields, names: OwnNames) -> str | None:
        """Return what names the person, as text; None: nothing does."""
        try:
            columns = {wanted: column for column, wanted in names.renames(fields).items()}
        except InputError:
            # Two columns are the same one: a delivery does not send such a row either.
            return None
        for name in self.key:
            value = fields.get(columns.get(name, name))
            with suppress(UnreadableError, ValueError):
                # Of an id only what surrounds it is taken away, so that it can still be read as something else. As
                # JSON has it, for that is what a later try finds.
                return read_id(value if type(value) is str else json_value(value)).identity
        return None

    def _shard(self, digest: bytes) -> int:
        return int.from_bytes(digest[:8]) % self.shards


def _identity(value: str, region: str | None) -> str:
    """Return what all spellings of a person share; an id and a number that has the form of one are the same."""
    with suppress(UnreadableError):
        return read_email(value).key
    with suppress(UnreadableError):
        return read_phone(value, region).key
    return value


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()


class _ShardFolder:
    """
    The shards of one run.

    :param folder: a path object from ``storage.locate``.
    """

    def __init__(self, folder: AnyPath, cut: _Cut) -> None:
        self._folder = folder
        self._cut = cut

    def fill(self, source: Source) -> list[str]:
        """
        Write the shards of a source, and return their paths.

        :raises InputError: it cannot be read, or the folder was cut in another way.
        :raises LedgerError: what says how it was cut is damaged.
        """
        spool, earlier = ShardSpool(), self._earlier()
        for name in earlier.values():
            if (file := self._folder / name).exists():
                spool.note_earlier(self._digests(file))
        rows = self._spool(source, spool)
        found = spool.shards()
        # One that everybody was taken out of keeps its place, too, for the others to keep theirs.
        files = {
            shard: self._write(shard, spool) for shard in [*earlier, *(one for one in found if one not in earlier)]
        }
        if files != earlier:
            write_whole(self._folder / MANIFEST, [json.dumps({**self._settings, "files": [*files.items()]}).encode()])
        log.info("%s contacts are in %s shards, in %s", f"{rows:,}", len(files), self._folder)
        return [str(self._folder / name) for name in files.values()]

    def _spool(self, source: Source, spool: ShardSpool) -> int:
        """Read all rows into their shards, and return how many there are."""
        cut, names, problems, number = self._cut, self._cut.names(), 0, 0
        for number, row in enumerate(source.rows_with([cut.key], partial(_named, names)), 1):
            line, problem = _line(row)
            if problem:
                # It is sent to by nobody, but is to be among the outcomes.
                problems += 1
                if problems == 1:
                    log.warning("%s: row %s cannot be read: %s", source.name, number, problem)
            shard, digest = cut.place({} if problem else row.fields, names, line)
            spool.add(shard, digest, line)
        if problems > 1:
            log.warning("%s: %s rows cannot be read; they end as invalid", source.name, f"{problems:,}")
        return number

    def _write(self, shard: int, spool: ShardSpool) -> str:
        """Write a shard, unless it is there already, and return the name of its file."""
        fingerprint = hashlib.sha256()
        for line in spool.lines(shard):
            fingerprint.update(line)
        name = f"shard-{shard + 1}-of-{self._cut.shards}-{fingerprint.hexdigest()[:SHOWN]}.jsonl"
        if not (file := self._folder / name).exists():
            write_whole(file, spool.lines(shard))
        return name

    @property
    def _settings(self) -> dict[str, Any]:
        return {"shards": self._cut.shards, "key": list(self._cut.key), "region": self._cut.region}

    def _earlier(self) -> dict[int, str]:
        """
        Return the files of an earlier try, by shard, in the order of its paths.

        :raises InputError: it cut the contacts in another way: a person might be in two shards that are sent.
        :raises LedgerError: what it wrote is damaged.
        """
        file = self._folder / MANIFEST
        if not file.exists():
            return {}
        try:
            manifest = json.loads(file.read_bytes())
            before = {name: manifest[name] for name in self._settings}
            files = {int(shard): _file_name(name) for shard, name in manifest["files"]}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise LedgerError(f"{file} is damaged ({type(error).__name__})") from None
        for name, value in self._settings.items():
            if value != before[name]:
                raise InputError(name, f"{before[name]!r}, as the shards in {self._folder} were cut with", repr(value))
        return files

    def _digests(self, file: AnyPath) -> Iterator[bytes]:
        """Yield of each row of a shard what names the person there."""
        names = self._cut.names()
        with open_text(file) as text:
            for line in text:
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    raise LedgerError(f"{file} is damaged") from None
                fields: Mapping[str, Any] = value if isinstance(value, dict) else {}
                yield self._cut.place(fields, names, line.encode("utf-8", "surrogatepass"))[1]


def _file_name(value: Any) -> str:
    if not isinstance(value, str) or "/" in value or not value.startswith("shard-"):
        raise ValueError
    return value


def _named(names: OwnNames, columns: Iterable[str]) -> Iterable[str]:
    """Return the columns of a source with the names of ``key`` for those that are one of them in another spelling."""
    columns = tuple(columns)
    renames = names.renames(columns)
    return [renames.get(column, column) for column in columns]


def _line(row: Row) -> tuple[bytes, str | None]:
    """Return a row as it is written, and what is wrong with it: then that is all that is written of it."""
    problem = row.problem
    if problem is None:
        try:
            return json_line(row.fields), None
        except ValueError:
            problem = no_json(row.fields)
    return json.dumps(problem).encode() + b"\n", problem
