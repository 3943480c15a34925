"""Models of deals: win probability, time to close, the bookings forecast and the proof that it deserves trust."""
