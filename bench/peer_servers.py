"""The servers that Pigou is measured beside: how each is started over PostgreSQL on loopback, and told where spans go.

Both run as they do by default, with three exceptions: nothing is reported to their makers, everything is on loopback, and their
files are in a folder that goes away. Versions are those of `bench/requirements-peers.lock`.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.processes import free_port

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv-peers" / "bin"

_NOWHERE = "http://127.0.0.1:9"  # what tries to leave the machine all the same is refused at once


@dataclass(frozen=True)
class Peer:
    """How one peer is started and asked. Each keeps one row per span in a table `spans`."""

    name: str
    package: str
    health: str
    """The path that answers 200 once it is ready."""
    command: Callable[[str, int], list[str]]
    """From the address of an empty database and the HTTP port to listen on."""
    environment: Callable[[str, int], dict[str, str]]
    """What it reads beside `quiet_environment`, from the same."""
    headers: Callable[[int], dict[str, str]]
    """What exports must say, once it runs on this port."""


def quiet_environment(home: Path) -> dict[str, str]:
    """The environment of any peer: none of ours, its files in `home`, and no way out of the machine."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), _NOWHERE)
    beside = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    path = os.pathsep.join((str(BIN), os.defpath))
    return {"PATH": path, "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", "DO_NOT_TRACK": "true", **proxies, **beside}


def version(package: str) -> str:
    """The version of a peer's package that is installed."""
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([BIN / "python", "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


def _phoenix_command(_uri: str, _port: int) -> list[str]:
    return [str(BIN / "python"), str(Path(__file__).with_name("phoenix_on_loopback.py")), "serve"]


def _phoenix_environment(uri: str, port: int) -> dict[str, str]:
    return {
        "PHOENIX_SQL_DATABASE_URL": uri,
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }


def _mlflow_command(uri: str, port: int) -> list[str]:
    command = [str(BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    return [
        *command,
        "--backend-store-uri",
        uri.replace("postgresql:", "postgresql+psycopg2:"),
        "--artifacts-destination",
        "./artifacts",
    ]


def _mlflow_environment(_uri: str, _port: int) -> dict[str, str]:
    return {"MLFLOW_DISABLE_TELEMETRY": "true"}


def _mlflow_headers(port: int) -> dict[str, str]:
    """Make the experiment that spans are filed under; MLflow takes none without."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    said = {"Content-Type": "application/json"}
    connection.request("POST", "/api/2.0/mlflow/experiments/create", json.dumps({"name": "bench-ingest"}), said)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"MLflow made no experiment, it answered {answer.status}: {body[:500]!r}")
    return {"x-mlflow-experiment-id": json.loads(body)["experiment_id"]}


PEERS = (
    Peer("Arize Phoenix", "arize-phoenix", "/healthz", _phoenix_command, _phoenix_environment, lambda _port: {}),
    Peer("MLflow", "mlflow", "/health", _mlflow_command, _mlflow_environment, _mlflow_headers),
)
