"""Decisions: choice sets derived from what was recorded, read as arrays, and what is thought of them written back."""
