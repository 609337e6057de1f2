"""The running example: an agent finds out why a test fails, mends the source and runs the test again.

The script looks at nothing but the conversation, so a client may stream, retry or be split over several
agents and still be led to the end: each step is taken once, and only when its tool is on offer.
"""

import json
from collections import Counter
from dataclasses import dataclass

from .conversation import Conversation, ToolCall, ToolOffer, Turn, canonical_arguments

HANDOFF_PREFIX = "transfer_to_"
COLLEAGUE_PREFIX = "ask_"


@dataclass(frozen=True)
class Step:
    """A tool call of the script and what is said with it."""

    says: str
    tool: str
    arguments: dict[str, str]


STEPS: tuple[Step, ...] = (
    Step("I will run the test first, to see how it fails.", "run_tests", {}),
    Step("Now the test itself.", "read_file", {"path": "test_invoice.py"}),
    Step("And the source it exercises.", "read_file", {"path": "invoice.py"}),
    Step(
        "The discount is added where it should be taken off.",
        "edit_file",
        {
            "path": "invoice.py",
            "old": "return subtotal + subtotal * discount",
            "new": "return subtotal - subtotal * discount",
        },
    ),
    Step("Let me see whether the test passes now.", "run_tests", {}),
)
QUESTION = "Please review the change in invoice.py: the discount is now subtracted from the subtotal."
FINDINGS = (
    "Done: the discount was added instead of subtracted. I changed that one line and the test passes.",
    "The test passes now. `total` added the discount to the subtotal; it subtracts it now.",
    "Fixed. One sign was wrong in `invoice.total`; the test suite is green again.",
)


def next_turn(conversation: Conversation, call_id: str, mood: int) -> Turn:
    """The model's next turn: a hand-off, a step of the script, a question to a colleague, or the end.

    `call_id` names the tool call, if one is made; `mood` picks the wording of the last sentence.
    """
    offers = {offer.name: offer for offer in conversation.tools}
    taken = Counter((call.name, canonical_arguments(call.arguments)) for call in conversation.calls_made())
    taken_names = {name for name, _ in taken}

    for name in offers:
        if name.startswith(HANDOFF_PREFIX) and name not in taken_names:
            return _call("This belongs to a colleague.", name, {}, call_id)
    for step in STEPS:
        key = (step.tool, canonical_arguments(json.dumps(step.arguments)))
        if step.tool not in offers:
            continue
        if not taken[key]:
            return _call(step.says, step.tool, step.arguments, call_id)
        taken[key] -= 1
    for name, offer in offers.items():
        if name.startswith(COLLEAGUE_PREFIX) and name not in taken_names:
            return _call("A second pair of eyes, please.", name, {_first_argument(offer): QUESTION}, call_id)
    return Turn(text=FINDINGS[mood % len(FINDINGS)])


def _call(says: str, tool: str, arguments: dict[str, str], call_id: str) -> Turn:
    return Turn(text=says, calls=(ToolCall(call_id=call_id, name=tool, arguments=json.dumps(arguments)),))


def _first_argument(offer: ToolOffer) -> str:
    properties = offer.schema.get("properties")
    return next(iter(properties), "input") if isinstance(properties, dict) else "input"
