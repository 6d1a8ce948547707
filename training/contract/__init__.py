"""Customers under contract: who will leave, learned from a table with one row a customer.

The way through: `design` (columns to numbers), `models` (what can be released), `candidates` (how
each is fitted), `choose` (which of them, by cross-validation), `release` (what is kept), `run`.
"""
