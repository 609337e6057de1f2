"""`python -m dashboard`: serve the pages until told to stop."""

import argparse
import logging
import signal
import sys
from types import FrameType

from waitress.server import create_server

from dashboard.app import Settings, create_app
from dashboard.books import Books

THREADS = 4  # a page asks some eight questions at once; more threads would only queue at the database
FRESH_S = 2.0  # less than pages wait before they look again
CONNECTIONS = 2  # each is a backend of the server; the questions are short, and take turns faster than the page draws


def main(arguments: list[str] | None = None) -> int:
    """Serve the pages over one database. Answers 0 after SIGTERM or SIGINT, 1 when the port cannot be had."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a page's questions queue for a moment by design
    books = Books(given.dsn, connections_max=CONNECTIONS, fresh_s=given.fresh_s)
    app = create_app(books, Settings(endpoint=given.otlp_endpoint, collector=given.collector or given.otlp_endpoint))
    signal.signal(signal.SIGTERM, _stop)
    try:
        server = create_server(app.server, host=given.host, port=given.port, threads=THREADS, ident="pigou")
    except OSError as error:
        sys.stderr.write(f"dashboard: cannot listen on {given.host}:{given.port}: {error.strerror}; choose another --port\n")
        return 1
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
        books.close()
    return 0


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Serve Pigou's pages.")
    parser.add_argument("--dsn", required=True, help="address of the database with the books")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=4320, help="port to listen on")
    parser.add_argument(
        "--otlp-endpoint", default="http://127.0.0.1:4318", help="where agents send their telemetry, as shown to newcomers"
    )
    parser.add_argument(
        "--fresh-s",
        type=float,
        default=FRESH_S,
        help="how old, in seconds, an answer may be that several readers share (0: none is shared)",
    )
    parser.add_argument(
        "--collector", help="where the collector answers this process, for what is done on pages (default: the OTLP endpoint)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
