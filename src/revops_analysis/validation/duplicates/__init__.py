"""Duplicates: accounts, contacts and leads that are in the CRM more than once, found without labels.

`find_duplicates(snapshot, "contacts")` is the way in; docs/duplicates.md says how it works and how well.
"""
