"""Rollouts as capital (eq. 11 and 12): what batches gain by how old they are, and what their tokens bring."""
