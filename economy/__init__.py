"""A seeded economy: a fleet of agents whose misallocations are known.

Three tenants run coding, support and research agents, share one serving engine and train one model, for a simulated
fortnight. Everything is emitted by the real OpenTelemetry SDK through its OTLP exporters; beside the telemetry stands the
truth: which decisions were wrong, by eq. 1, and what each cost. The fleet is described in docs/economy.md.
"""
