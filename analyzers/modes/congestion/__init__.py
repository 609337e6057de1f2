"""Congestion of a shared engine: what each request's use of it costs others. Arrays in, arrays out; no database.

From the spans of an engine alone: `timeline` (who was where at once), `fit` (what a step costs), `replay` (the same requests
without some of them), `external` (delay and dollars imposed), `prices` (what one more token would cost others), `fingerprint`
(prediction 3), `speculation` (make or buy).
"""
