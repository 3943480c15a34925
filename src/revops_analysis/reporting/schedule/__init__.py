"""Reports that run by themselves: what is due, done once each in order, whatever crashes when."""
