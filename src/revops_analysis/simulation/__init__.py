"""The sample company: every canonical table, and the truth behind it."""
