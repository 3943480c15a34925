"""Figures drawn from results; nothing here computes."""
