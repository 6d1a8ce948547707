"""Removing old state by rule: what is served, was served before, or is referred to stays."""
