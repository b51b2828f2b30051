"""Runs the sandbox: in a thread for tests, or until interrupted for the command line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

try:
    import starlette  # noqa: F401
    import uvicorn
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"the sandbox needs {error.name}: pip install 'airflow-provider-campaigns[sandbox]'", name=error.name
    ) from error

from airflow_provider_campaigns.sandbox.app import create_app

__all__ = ["SandboxServer", "create_app", "serve"]

# Idle connections outlive any pause of a test: a client would otherwise meet a closed one at random.
KEEP_ALIVE_SECONDS = 75
START_SECONDS = 30.0
# Connections waiting to be accepted, uvicorn's own default.
BACKLOG = 2048


class SandboxServer:
    """
    The sandbox in a daemon thread; a context manager that starts and stops it.

    .. code-block:: python

        with SandboxServer() as server:
            requests.get(f"{server.url}/_sandbox/")

    :param host: address to listen on.
    :param port: port, 0 for a free one.
    :param limits: whether requests per minute and per hour are limited; limits on sizes always are.
    :param speed: sandbox seconds per real second.
    :param hosts: host names, beside ``host`` and the loopback ones, by which the control API may be called.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        limits: bool = True,
        speed: float = 1,
        hosts: Iterable[str] = (),
    ) -> None:
        self._socket = _listen(host, port)
        self._ready = threading.Event()
        self._server = _Server(self._ready.set, limits=limits, speed=speed, hosts=(host, *hosts))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="sandbox", daemon=True)
        self.url = _url(self._socket)

    def start(self) -> Self:
        """Start the thread and return when the server answers; RuntimeError if it does not."""
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise RuntimeError("the sandbox did not start")
        return self

    def stop(self) -> None:
        """End the server without waiting for requests that hang."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()


def serve(
    host: str,
    port: int,
    announce: Callable[[str], object],
    *,
    limits: bool = True,
    speed: float = 1,
    hosts: Iterable[str] = (),
) -> None:
    """
    Run the sandbox in this thread until SIGINT or SIGTERM.

    :param announce: called with the URL once the server accepts connections.
    :param hosts: as for ``SandboxServer``.
    :raises OSError: the port is taken, or the host is not this machine's.
    """
    with _listen(host, port) as listener:
        server = _Server(lambda: announce(_url(listener)), limits=limits, speed=speed, hosts=(host, *hosts))
        server.run([listener])


class _Server(uvicorn.Server):
    """A uvicorn server that says when it is ready, and logs no requests."""

    def __init__(self, on_ready: Callable[[], object], **options: Any) -> None:
        app = create_app(**options)
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="error",
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=1,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), backlog=BACKLOG)
    # Connections inherit it; asyncio sets it only for sockets made in another way, and replies would wait 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"
