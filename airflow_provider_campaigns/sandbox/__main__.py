"""Runs the sandbox from the command line: ``python -m airflow_provider_campaigns.sandbox --port 8765``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def _speed(text: str) -> float:
    speed = float(text)
    if speed <= 0:
        raise argparse.ArgumentTypeError("the speed is positive")
    return speed


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_campaigns.sandbox",
        description="The APIs of Xebo, Collect, Xtremepush, Ozonetel and Exotel as a local server, for tests.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="port, 0 for a free one (default %(default)s)")
    parser.add_argument("--limits", choices=("on", "off"), default="on", help="the vendors' rate limits (default on)")
    parser.add_argument("--speed", type=_speed, default=1.0, help="sandbox seconds per real second (default 1)")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name, beside --host and the loopback ones, by which the control API may be called; repeatable",
    )
    return parser.parse_args(argv)


def _announce(url: str) -> None:
    sys.stdout.write(f"sandbox listening on {url} (for tests only: published credentials, nothing is sent)\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> None:
    """Run until interrupted; exit with a reason if the sandbox cannot start."""
    options = _arguments(argv)
    try:
        from airflow_provider_campaigns.sandbox.server import serve  # here, as the extra may be missing

        serve(
            options.host,
            options.port,
            _announce,
            limits=options.limits == "on",
            speed=options.speed,
            hosts=options.allow_host,
        )
    except (ModuleNotFoundError, OSError) as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
