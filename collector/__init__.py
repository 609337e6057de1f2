"""OTLP in, books out: receive, decode, normalise, price, post, and only then acknowledge."""
