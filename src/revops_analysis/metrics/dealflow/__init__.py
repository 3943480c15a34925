"""What becomes of deals, seller by seller and stage by stage, from frames of deals that are read once."""
