"""A MariaDB server of its own: in a temporary folder, on a free port of this machine, gone afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Self

import pymysql

# Debian's packages keep it where only root has it in PATH.
SERVER_FOLDERS = f"{os.environ.get('PATH', '')}:/usr/sbin"


class MariaServer:
    """A server with one empty database, ``campaigns``, in which everybody on this machine may do everything."""

    def __enter__(self) -> Self:
        self.folder = Path(mkdtemp(prefix="campaigns-mariadb-"))
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as_user = {"user": "mysql", "group": "mysql", "extra_groups": ()}
            shutil.chown(self.folder, "mysql", "mysql")
        self._data = f"--datadir={self.folder}/data"
        with (self.folder / "log").open("wb") as log:
            make = [
                _path("mariadb-install-db"),
                "--no-defaults",
                self._data,
                "--auth-root-authentication-method=normal",
            ]
            subprocess.run(make, check=True, stdout=log, stderr=log, cwd=self.folder, **self._as_user)
            self.port = _free_port()
            options = [f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder}/socket"]
            quick = ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--skip-name-resolve"]
            command = [_path("mariadbd"), "--no-defaults", self._data, *options, *quick]
            self._server = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self._as_user)
        self._wait()
        self.execute("CREATE DATABASE campaigns")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.kill()
        self._server.wait()
        shutil.rmtree(self.folder)

    def connection(self, **extra: Any) -> dict[str, Any]:
        """Return the fields of the Airflow connection to it."""
        return {
            "conn_type": "mysql",
            "host": "127.0.0.1",
            "port": self.port,
            "login": "root",
            "schema": "campaigns",
            "extra": extra,
        }

    def execute(self, sql: str) -> None:
        """Execute a statement."""
        with pymysql.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True) as connection:
            connection.cursor().execute(sql)

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                return self.execute("SELECT 1")
            except pymysql.err.OperationalError:
                if time.monotonic() > until or self._server.poll() is not None:
                    raise RuntimeError(f"mariadbd did not start:\n{(self.folder / 'log').read_text()}") from None
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _path(program: str) -> str:
    path = shutil.which(program, path=SERVER_FOLDERS)
    if path is None:
        raise RuntimeError(f"{program} of MariaDB is not installed; `make integration` installs it on Debian")
    return path
