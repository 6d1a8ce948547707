"""Who is in which tier from a re-tier date on, why, and since when."""
