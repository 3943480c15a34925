"""Canonical tables: schema, warehouse, and their state as of a date."""
