"""Benchmarks anyone can run; each prints one table."""
