"""Run the provider: `python -m examples.provider --port 8080`. It listens on this machine only."""

import argparse
import secrets
import socket
import sys
from pathlib import Path

import uvicorn

from .app import create_provider
from .faults import Fault, parse_faults

HOST = "127.0.0.1"


def main() -> int:
    """Serve until interrupted; prints one line with `ready` and the addresses once the port is held."""
    parser = argparse.ArgumentParser(prog="python -m examples.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--seed", type=int, help="decides every size and id; default: a new one each time")
    parser.add_argument("--sales", type=Path, metavar="FILE", help="append each sale to this file as JSON")
    parser.add_argument(
        "--faults",
        default="",
        metavar="PLAN",
        help=f"failures by ordinal of request, such as 2:rate_limit,5:abort ({', '.join(Fault)})",
    )
    arguments = parser.parse_args()
    try:
        faults = parse_faults(arguments.faults)
    except ValueError as error:
        parser.error(str(error))
    # Ids come from the seed, so two runs that share one would look like one run reported twice.
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, arguments.port))
        except OSError as error:
            parser.error(f"cannot listen on port {arguments.port}: {error.strerror}")
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        app = create_provider(seed=seed, faults=faults, sales_path=arguments.sales)
        print(f"ready openai={url}/v1 anthropic={url} sales={url}/sales seed={seed}", flush=True)
        # A planned abort is an exception in a response; its traceback would only alarm.
        uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False)).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
