"""Customers under contract: one row a customer with a label of who left, no orders.

The way through: `source` (the TOML), `ingest` (raw file to validated table), `table` (the table).
"""
