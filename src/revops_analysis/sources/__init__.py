"""From a company's files, databases and CRMs to canonical tables; what cannot be used goes to quarantine."""
