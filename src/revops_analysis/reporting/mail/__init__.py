"""A finished run as an email: what it says, to whom, whether it arrived."""
