"""A PostgreSQL server of its own: in a temporary folder, reached through a socket in it, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Self

# Where Debian keeps the programs of the server, which are in nobody's PATH.
DEBIAN = Path("/usr/lib/postgresql")
USER = "campaigns"


class PostgresServer:
    """
    A server with one empty database, ``postgres``, in which everybody on this machine who finds it may do everything.

    It listens on no port. PostgreSQL refuses to run as root, so root starts it as the user ``postgres``.

    :param settings: of the server, beside those that are always set.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = {"fsync": "off", **settings}

    def __enter__(self) -> Self:
        self.folder = Path(mkdtemp(prefix="campaigns-postgres-"))
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as_user = {"user": "postgres", "group": "postgres", "extra_groups": ()}
            shutil.chown(self.folder, "postgres", "postgres")
        self._data = str(self.folder / "data")
        self._run("initdb", "--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C", "--no-sync")
        self._start("start")
        return self

    def restart(self) -> None:
        """End all sessions, stop the server, and start it again."""
        self._start("restart", "--mode=fast")

    def _start(self, *command: str) -> None:
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, **self._settings}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", *command, "--wait", f"--log={self.folder}/log", f"--options={options}")

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")
        shutil.rmtree(self.folder)

    def connection(self, **extra: Any) -> dict[str, Any]:
        """Return the fields of the Airflow connection to it."""
        return {"conn_type": "postgres", "host": str(self.folder), "login": USER, "schema": "postgres", "extra": extra}

    def _run(self, program: str, *arguments: str) -> None:
        output = self.folder / f"{program}.txt"
        with output.open("ab") as file:
            ended = subprocess.run(
                [_path(program), *arguments, f"--pgdata={self._data}"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.folder,
                env={**os.environ, "LC_ALL": "C"},
                check=False,
                **self._as_user,
            )
        if ended.returncode:
            raise RuntimeError(f"{program} failed:\n{output.read_text()}")


def _path(program: str) -> str:
    installed = sorted(DEBIAN.glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
    path = str(installed[-1]) if installed else shutil.which(program)
    if path is None:
        raise RuntimeError(f"{program} of PostgreSQL is not installed; `make integration` installs it on Debian")
    return path
