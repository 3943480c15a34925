"""Questions that no report asks: a notebook from a template, answered by hand, frozen as a page to verify later."""
