"""A run on paper: `report.pdf`, made from the run's own pages by WeasyPrint and a print stylesheet."""
