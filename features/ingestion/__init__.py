"""From a source's raw files to validated tables; every record accounted for."""
