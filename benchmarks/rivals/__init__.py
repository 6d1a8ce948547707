"""Other ways to serve the same predictor, for `benchmarks.serving` to measure against."""
