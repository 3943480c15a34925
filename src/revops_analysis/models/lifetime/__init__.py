"""Lifetime: how long accounts stay, what they are worth, which renewals are at risk, and where net retention goes."""
