"""What ties the pages to the shell around them."""

from __future__ import annotations

import json

from dashboard.app import create_app
from dashboard.books import Books


def test_what_is_drawn_on_a_page_is_asked_for_by_that_page_alone() -> None:
    """An answer that still waits for its turn when its page is left is dropped in silence only if all its inputs left too."""
    app = create_app(Books("host=nowhere"))
    of_shell = {str(node.id) for node in app.layout._traverse() if hasattr(node, "id")}
    asked = 0
    for callback in app._callback_list:
        outputs = [part.rpartition(".")[0] for part in str(callback["output"]).strip(".").split("...")]
        gone = [output for output in outputs if output not in of_shell and '["ALL"]' not in output]
        if callback.get("no_output") or not gone:
            continue
        asked += 1
        outliving = [of["id"] for of in callback["inputs"] if str(of["id"]) in of_shell]
        assert not outliving, f"{gone} would be missed when {outliving} ask for it and the page has gone"
    assert asked > 10, json.dumps(sorted(of_shell))
