"""What the contestants have to send, and the files they read it from."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

SINGLE = "/ca_apis/AddCampaignData"
BATCHED = "/api/external/execute/campaign"


@dataclass(frozen=True)
class Job:
    """
    What is to be sent where.

    :param url: the server.
    :param contacts: a CSV file; one contact per request are leads (Ozonetel), more a campaign's targets (Xtremepush).
    :param batch_size: contacts per request.
    :param concurrency: requests in flight.
    """

    url: str
    contacts: str
    batch_size: int
    concurrency: int

    def requests(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield address and body of each request, made from the file as they are asked for."""
        with Path(self.contacts).open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if self.batch_size == 1:
                for row in rows:
                    yield self.url + SINGLE, {"campaignName": "Demo", **row, "checkDuplicate": "TRUE", "userName": "me"}
            while batch := list(islice(rows, self.batch_size)):
                targets = {row.pop("user_id"): row for row in batch}
                body = {"apptoken": "t", "id": 1, "target_with_params": targets, "target_by": "user_id"}
                yield self.url + BATCHED, body


def write_contacts(folder: Path, count: int, batch_size: int) -> str:
    """Write ``count`` contacts that nobody has as a CSV file, and return its path."""
    path = folder / f"{count}-{batch_size}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if batch_size == 1:
            # In the style of Ofcom's numbers for drama, but more of them than those.
            writer.writerow(["phoneNumber", "Name"])
            writer.writerows([f"+4477009{number:07}", f"Customer {number}"] for number in range(count))
        else:
            writer.writerow(["user_id", "first_name", "city"])
            writer.writerows([f"user-{number}", f"Customer {number}", "Leeds"] for number in range(count))
    return str(path)


def write_packed(folder: Path, contacts: str, parts: int) -> str:
    """Write the contacts of a CSV file as so many packed ones, and return the pattern or path that means them."""
    folder.mkdir()
    # Line by line: the memory of this process counts for those that it starts.
    with Path(contacts).open("rb") as file:
        size = -(-(sum(1 for _ in file) - 1) // parts)
        file.seek(0)
        header = next(file)
        for part in range(parts):
            with gzip.open(folder / f"part-{part:02}.csv.gz", "wb", 1) as packed:
                packed.write(header)
                packed.writelines(islice(file, size))
    return str(folder / ("part-*.csv.gz" if parts > 1 else "part-00.csv.gz"))
