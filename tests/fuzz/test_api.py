"""The collector's JSON API against what its OpenAPI says of it: whatever is asked, the answer has a status and a shape that are
described, and what the description forbids is refused.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.books import serving
from tests.integration.delivering import open_alert

# OTLP has a protocol of its own, and fuzzers of its own (test_fuzz.py).
_OF_OTLP = r"^/v1/(traces|logs|metrics)$"
# Some rules are of several fields at once, or of what the books hold: what the description allows may still be refused with 422.
_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method"
)
_SECONDS = 60


@pytest.mark.timeout(600)
def test_answers_are_as_the_api_is_described(dsn: str, writer: psycopg.Connection, tmp_path: Path) -> None:
    for subject in ("a", "b", "c"):
        open_alert(writer, subject=subject)
    with serving(dsn) as served:
        run = subprocess.run(
            [
                Path(sys.executable).parent / "schemathesis", "run", f"http://{served.http}/openapi.json", "--seed", "1",
                "--max-examples", "15", "--max-time", str(_SECONDS), "--checks", _CHECKS, "--exclude-path-regex", _OF_OTLP,
                "--suppress-health-check", "all", "--warnings", "off", "--no-color",
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
