"""How models are held against what happened: metrics, intervals, pictures."""
