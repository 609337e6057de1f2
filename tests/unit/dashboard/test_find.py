"""Where an id that somebody types leads."""

import pytest

from dashboard.pages.find import address_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("sought", "leads_to"),
    [
        (TRACE, f"/trace/{TRACE}"),
        (f" {TRACE.upper()} ", f"/trace/{TRACE}"),
        (f"00-{TRACE}-00f067aa0ba902b7-01", f"/trace/{TRACE}?span=00f067aa0ba902b7"),
        (f"{TRACE}/00F067AA0BA902B7", f"/trace/{TRACE}?span=00f067aa0ba902b7"),
        ("00f067aa0ba902b7", "/find?q=00f067aa0ba902b7"),
        (f"00-{TRACE}", f"/trace/{TRACE}"),
        (f"00-{TRACE[:-1]}", f"/find?q=00-{TRACE[:-1]}"),
        ("0190b1a2-3c4d-7e8f-9012-3456789abcde", "/decision?id=0190b1a2-3c4d-7e8f-9012-3456789abcde"),
        ("resp_1", "/find?q=resp_1"),
    ],
)
def test_an_id_leads_to_what_it_is_of(sought: str, leads_to: str) -> None:
    assert address_of(sought, None) == leads_to
