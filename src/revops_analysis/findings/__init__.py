"""What is wrong, how sure we are, what it costs, what to do."""
