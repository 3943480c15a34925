"""What is wrong, how sure, what it costs and what to do about it."""
