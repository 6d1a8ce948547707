"""What monitoring decides, carried out: recalibrate, cut the boundaries again, retrain, prune.

Each act makes a release with a digest of its own, holds it against the one that is served, and
promotes it or says why not. An act that was cut short is done once by the next run.
"""
