"""Revenue-operations analytics: one definition a number, as of a stated date, from data that passed its checks."""

__version__ = "0.1.0"
