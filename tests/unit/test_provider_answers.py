"""How the local model provider of examples/ answers: repeatably, from its cache, in streams, strictly, and failing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from examples.provider.app import ConnectionBroken, create_provider
from examples.provider.faults import Fault, parse_faults

Payload = dict[str, Any]

OPENAI = {"authorization": "Bearer local"}
ANTHROPIC = {"x-api-key": "local", "anthropic-version": "2023-06-01"}
TOOLS = ("run_tests", "read_file", "edit_file")


def provider(seed: int = 1, faults: str = "", sales_path: Path | None = None) -> TestClient:
    app = create_provider(seed=seed, faults=parse_faults(faults), sales_path=sales_path, pace_s=0)
    return TestClient(app)


def chat(client: TestClient, text: str = "hello", **more: object) -> Payload:
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": text}], **more}
    return client.post("/v1/chat/completions", json=body, headers=OPENAI).json()


def message_body(text: str = "hello", **more: object) -> Payload:
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-haiku-4-5", "max_tokens": 4_000, "messages": messages, **more}


def sales(client: TestClient) -> list[Payload]:
    return client.get("/sales").json()["sales"]


def events(text: str) -> list[Payload]:
    """The payloads of server-sent events; every event must end with an empty line."""
    assert text.endswith("\n\n")
    blocks = text.removesuffix("\n\n").split("\n\n")
    data = [line.removeprefix("data: ") for block in blocks for line in block.split("\n") if line.startswith("data: ")]
    assert len(data) == len(blocks)
    return [json.loads(line) for line in data if line != "[DONE]"]


def test_the_same_seed_and_requests_sell_the_same() -> None:
    def run(seed: int) -> list[Payload]:
        client = provider(seed)
        for text in ("hello", "hello", "something else"):
            chat(client, text)
        return sales(client)

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_ids_are_never_used_twice() -> None:
    client = provider()
    answers = [chat(client) for _ in range(5)]
    assert len({answer["id"] for answer in answers}) == 5


def test_a_repeated_prompt_is_read_from_the_cache_in_steps_of_128() -> None:
    client = provider()
    first, second = (chat(client)["usage"] for _ in range(2))
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["prompt_tokens_details"]["cached_tokens"] == first["prompt_tokens"] // 128 * 128
    assert second["prompt_tokens"] == first["prompt_tokens"]


def test_a_model_that_bills_writes_splits_the_prompt_in_three() -> None:
    client = provider()
    chat(client, model="gpt-6.1-terra")
    chat(client, model="gpt-6.1-terra")
    first, second = sales(client)
    assert first["cache_write_5m_tokens"] > 0
    assert first["cache_read_tokens"] == 0
    assert second["cache_read_tokens"] == first["cache_write_5m_tokens"]
    assert second["cache_write_5m_tokens"] == 0


def test_anthropic_caches_up_to_the_marks_each_for_its_own_time() -> None:
    client = provider()
    hour = {"type": "ephemeral", "ttl": "1h"}
    system = [{"type": "text", "text": "Be brief.", "cache_control": hour}]
    for text in ("hello", "hello", "something else"):
        body = message_body(text, system=system, cache_control={"type": "ephemeral"})
        assert client.post("/v1/messages", json=body, headers=ANTHROPIC).status_code == 200
    assert client.post("/v1/messages", json=message_body(system=system), headers=ANTHROPIC).status_code == 200
    written, read, shared, unmarked = sales(client)
    assert written["cache_write_1h_tokens"] > written["cache_write_5m_tokens"] > 0
    assert (written["cache_read_tokens"], written["input_tokens"]) == (0, 0)
    prompt = written["cache_write_1h_tokens"] + written["cache_write_5m_tokens"]
    assert (read["cache_read_tokens"], read["cache_write_5m_tokens"], read["input_tokens"]) == (prompt, 0, 0)
    assert shared["cache_read_tokens"] == written["cache_write_1h_tokens"]
    assert shared["cache_write_5m_tokens"] > 0
    assert unmarked["cache_read_tokens"] == written["cache_write_1h_tokens"]
    assert unmarked["input_tokens"] == written["cache_write_5m_tokens"]


def test_the_script_leads_an_agent_through_the_tools_to_the_end() -> None:
    client = provider()
    tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in TOOLS]
    messages: list[Payload] = [{"role": "user", "content": "mend the test"}]
    called: list[str] = []
    while True:
        body = {"model": "gpt-4.1-mini", "messages": messages, "tools": tools}
        answer = client.post("/v1/chat/completions", json=body, headers=OPENAI).json()["choices"][0]
        message = {key: answer["message"].get(key) for key in ("role", "content", "tool_calls")}
        messages.append(message)
        if answer["finish_reason"] == "stop":
            break
        for call in message["tool_calls"]:
            called.append(call["function"]["name"])
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": "done"})
    assert called == ["run_tests", "read_file", "read_file", "edit_file", "run_tests"]
    assert message["tool_calls"] is None
    assert message["content"]


def test_a_chat_stream_adds_up_to_the_whole_response_and_tells_usage_once() -> None:
    whole = chat(provider())
    body = {"stream": True, "stream_options": {"include_usage": True}}
    client = provider()
    sent = client.post(
        "/v1/chat/completions",
        json={"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hello"}], **body},
        headers=OPENAI,
    )
    assert sent.headers["content-type"].startswith("text/event-stream")
    assert sent.text.endswith("data: [DONE]\n\n")
    chunks = events(sent.text)
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert [chunk["usage"] for chunk in chunks if chunk["usage"]] == [whole["usage"]]
    assert chunks[-1]["choices"] == []
    assert [sale["is_streamed"] for sale in sales(client)] == [True]


def test_a_chat_stream_keeps_usage_to_itself_unless_asked() -> None:
    client = provider()
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hello"}], "stream": True}
    chunks = events(client.post("/v1/chat/completions", json=body, headers=OPENAI).text)
    assert not any("usage" in chunk for chunk in chunks)
    assert len(sales(client)) == 1


def test_a_responses_stream_is_numbered_and_ends_with_the_whole_response() -> None:
    body = {
        "model": "gpt-6.1-terra",
        "input": "hello",
        "tools": [{"type": "function", "name": "run_tests", "parameters": {}}],
    }
    whole = provider().post("/v1/responses", json=body, headers=OPENAI).json()
    streamed = events(provider().post("/v1/responses", json=body | {"stream": True}, headers=OPENAI).text)
    assert [event["sequence_number"] for event in streamed] == list(range(len(streamed)))
    assert streamed[0]["type"] == "response.created"
    assert streamed[0]["response"]["usage"] is None
    assert streamed[-1]["type"] == "response.completed"
    assert streamed[-1]["response"] | {"created_at": 0} == whole | {"created_at": 0}
    done = [event["item"] for event in streamed if event["type"] == "response.output_item.done"]
    assert done == whole["output"]
    assert [item["type"] for item in done] == ["reasoning", "message", "function_call"]
    pieces = [e["delta"] for e in streamed if e["type"] == "response.function_call_arguments.delta"]
    assert "".join(pieces) == whole["output"][-1]["arguments"]


def test_a_response_is_continued_by_its_id() -> None:
    client = provider()
    tools = [{"type": "function", "name": "run_tests", "parameters": {}}]
    first = client.post("/v1/responses", json={"model": "gpt-5-mini", "input": "mend", "tools": tools}, headers=OPENAI).json()
    call_id = first["output"][-1]["call_id"]
    result = {"type": "function_call_output", "call_id": call_id, "output": "done"}
    body = {"model": "gpt-5-mini", "input": [result], "tools": tools, "previous_response_id": first["id"]}
    second = client.post("/v1/responses", json=body, headers=OPENAI).json()
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]
    refused = client.post("/v1/responses", json=body | {"previous_response_id": "resp_0"}, headers=OPENAI)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "previous_response_id")


def test_an_anthropic_stream_tells_input_first_and_output_last() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    body = message_body(thinking=thinking, cache_control={"type": "ephemeral", "ttl": "1h"})
    whole = provider().post("/v1/messages", json=body, headers=ANTHROPIC).json()
    sent = provider().post("/v1/messages", json=body | {"stream": True}, headers=ANTHROPIC).text
    streamed = events(sent)
    assert [f"event: {event['type']}" for event in streamed] == [line for line in sent.split("\n") if line.startswith("event: ")]
    opening, closing = streamed[0]["message"]["usage"], streamed[-2]["usage"]
    assert opening["cache_creation"] == whole["usage"]["cache_creation"]
    assert opening["output_tokens"] == 1
    assert closing["output_tokens"] == whole["usage"]["output_tokens"]
    assert "cache_creation" not in closing
    assert streamed[-1] == {"type": "message_stop"}
    text = "".join(e["delta"].get("text", "") for e in streamed if e["type"] == "content_block_delta")
    assert text == whole["content"][-1]["text"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_limit_on_output_cuts_the_answer_and_the_bill(streamed: bool) -> None:
    client = provider()
    body = message_body(max_tokens=5, stream=streamed)
    sent = client.post("/v1/messages", json=body, headers=ANTHROPIC)
    stop_reason = events(sent.text)[-2]["delta"]["stop_reason"] if streamed else sent.json()["stop_reason"]
    assert stop_reason == "max_tokens"
    assert sales(client)[0]["output_tokens"] == 5


def test_embeddings_are_sold_without_a_response_id() -> None:
    client = provider()
    body: Payload = {"model": "text-embedding-3-small", "input": ["one text", "another"], "dimensions": 8}
    answer = client.post("/v1/embeddings", json=body, headers=OPENAI).json()
    assert [len(entry["embedding"]) for entry in answer["data"]] == [8, 8]
    assert sum(part * part for part in answer["data"][0]["embedding"]) == pytest.approx(1)
    (sale,) = sales(client)
    assert (sale["response_id"], sale["input_tokens"]) == (None, answer["usage"]["prompt_tokens"])
    assert sale["cost_usd"] == "0.000000080000"


def test_refused_requests_are_not_sold() -> None:
    client = provider(faults="1:rate_limit,2:server_error,3:overloaded")
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hello"}]}
    answers = [client.post("/v1/chat/completions", json=body, headers=OPENAI) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 500, 503, 200]
    assert answers[0].json()["error"]["code"] == "rate_limit_exceeded"
    assert int(answers[0].headers["retry-after-ms"]) > 0
    assert len(sales(client)) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_broken_response_is_not_sold(streamed: bool) -> None:
    client = provider(faults="1:abort")
    with pytest.raises(ConnectionBroken):
        chat(client, stream=streamed)
    chat(client)
    assert len(sales(client)) == 1


def test_sales_are_appended_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "sales.jsonl"
    client = provider(sales_path=path)
    chat(client)
    chat(client)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == sales(client)


CASES: list[tuple[str, Payload, int, str | None]] = [
    ("an unknown parameter", {"bogus": 1}, 400, "bogus"),
    ("no messages", {"messages": []}, 400, "messages"),
    ("a number for text", {"messages": [{"role": "user", "content": 7}]}, 400, "messages.0.content"),
    ("an unknown model", {"model": "gpt-0"}, 404, "model"),
    ("an embedding model", {"model": "text-embedding-3-small"}, 404, "model"),
    ("stream options without a stream", {"stream_options": {"include_usage": True}}, 400, "stream_options"),
    (
        "a result without a call",
        {"messages": [{"role": "tool", "tool_call_id": "call_0", "content": ""}]},
        400,
        "messages.0.tool_call_id",
    ),
]


@pytest.mark.parametrize(("name", "change", "status", "param"), CASES, ids=[case[0] for case in CASES])
def test_openai_requests_are_read_strictly(name: str, change: Payload, status: int, param: str | None) -> None:
    client = provider()
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hello"}], **change}
    refused = client.post("/v1/chat/completions", json=body, headers=OPENAI)
    assert refused.status_code == status
    error = refused.json()["error"]
    assert error["param"] == param
    assert set(error) == {"message", "type", "param", "code"}
    assert sales(client) == []


def test_anthropic_requests_are_read_strictly() -> None:
    client = provider()
    mark = {"type": "ephemeral"}
    late_hour = [
        {"type": "text", "text": "a", "cache_control": mark},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    for change, words in (
        ({"max_tokens": 0}, "max_tokens"),
        ({"bogus": 1}, "bogus"),
        ({"system": late_hour}, "ttl='1h'"),
        ({"system": [{"type": "text", "text": "a", "cache_control": mark}] * 5}, "maximum of 4"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]}, "tool_use_id"),
    ):
        refused = client.post("/v1/messages", json=message_body() | change, headers=ANTHROPIC)
        assert refused.status_code == 400
        error = refused.json()
        assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
        assert words in error["error"]["message"]
    assert sales(client) == []


def test_keys_and_versions_are_asked_for() -> None:
    client = provider()
    assert client.post("/v1/chat/completions", json={}).status_code == 401
    assert client.post("/v1/messages", json=message_body()).json()["error"]["type"] == "authentication_error"
    keyed = client.post("/v1/messages", json=message_body(), headers={"x-api-key": "local"})
    assert (keyed.status_code, "anthropic-version" in keyed.text) == (400, True)


@pytest.mark.parametrize("plan", ["rate_limit", "0:abort", "1:flood", "x:abort"])
def test_a_plan_of_failures_that_cannot_be_read_is_named(plan: str) -> None:
    assert parse_faults("") == {}
    assert parse_faults("2:rate_limit,5:abort") == {2: Fault.RATE_LIMIT, 5: Fault.ABORT}
    with pytest.raises(ValueError, match=plan):
        parse_faults(plan)
