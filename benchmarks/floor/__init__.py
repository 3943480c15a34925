"""The achievable floor of bookings forecasts on the sample company: `make_floor(options).forecast(...)`."""

from benchmarks.floor.errors import floor_errors
from benchmarks.floor.forecast import Floor, FloorForecast, make_floor

__all__ = ["Floor", "FloorForecast", "floor_errors", "make_floor"]
