"""docs/alerts.md shows how to verify a webhook: what it shows is executed, against our signatures and the standard's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from analyzers.delivery.webhook import key_of, signed
from tests.tidy.tree import ROOT

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = 1_790_000_000
BODY = '{"title": "Überlauf"}'.encode()

Verify = Callable[[str, dict[str, str], bytes, float | None], bool]


@pytest.fixture(scope="module")
def verify() -> Verify:
    snippet = (ROOT / "docs" / "alerts.md").read_text().partition("```python\n")[2].partition("```")[0]
    names: dict[str, Verify] = {}
    exec(snippet, names)
    return names["verify"]


@pytest.mark.parametrize("secret", [SECRET, "plain text"])
def test_what_we_sign_is_verified(verify: Verify, secret: str) -> None:
    headers = signed("m1", AT, BODY, key_of(secret))
    assert verify(secret, headers, BODY, AT + 299)
    assert not verify(secret, headers, BODY, AT + 301)
    assert not verify(secret, headers, BODY, AT - 301)
    assert not verify(secret, headers, BODY, None)  # it is long ago
    assert not verify(secret, headers, BODY + b" ", AT)
    assert not verify("other", headers, BODY, AT)
    for name, value in (("webhook-id", "m2"), ("webhook-timestamp", str(AT + 1)), ("webhook-signature", "v1,x")):
        assert not verify(secret, headers | {name: value}, BODY, AT)
    assert verify(secret, headers | {"webhook-signature": f"v1,x {headers['webhook-signature']}"}, BODY, AT)


def test_the_standards_own_library_signs_the_same() -> None:
    theirs = Webhook(SECRET).sign("m1", datetime.fromtimestamp(AT, UTC), BODY.decode())
    assert signed("m1", AT, BODY, key_of(SECRET))["webhook-signature"] == theirs
