"""What somebody saw, as words: which requirements, deviations and scenarios speak of it."""
