"""Work on a clock over what is booked: prices that arrived later, control totals, self-checks."""
