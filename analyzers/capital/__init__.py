"""What was paid for and is used later: cache writes and rollouts as assets in the accrual book (docs/decisions/0022)."""
