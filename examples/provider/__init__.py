"""A local model provider for agents that must run without the internet, and without a bill.

It speaks the OpenAI and Anthropic APIs, answers every request from one scripted conversation (an agent
mends a failing test), and keeps the one thing real providers do not show: a ledger of what it sold,
response by response, to the token and the picodollar. Whatever the instrumented agent's telemetry ends
up as in the books can therefore be compared with what was really sold.
"""
