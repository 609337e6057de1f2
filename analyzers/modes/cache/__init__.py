"""Caches as stock (eq. 10): what writing them cost, what reading them saved, how fast they are lost, and what was missed."""
