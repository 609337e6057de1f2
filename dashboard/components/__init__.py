"""Pieces that pages are put together from; no piece knows a page."""
