"""Reports on a user's own books: the three predictions, team production, and what a period lost in all. They only read."""
