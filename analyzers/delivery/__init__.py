"""Delivery: who is told of alerts, and that everybody is told of everything, in order.

The line: an event's transaction makes one row per channel that hears of it (a trigger, see the migrations) → take a channel and
what goes into one message → send → settle. What is sent again is the same message under the same key. The design is in
docs/alerts.md.
"""
