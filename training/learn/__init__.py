"""How models are learned from cohorts; nothing here is needed to serve them."""
