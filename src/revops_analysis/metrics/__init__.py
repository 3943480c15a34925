"""The registry of named metrics, a module a family."""
