"""Whether a rendered run can be believed later: rendered again, compared, and explained where it differs."""
