"""The achievable floor of bookings forecasts on the sample company: `make_floor(options).forecast(...)`."""
