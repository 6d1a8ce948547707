"""The rolling-origin backtest: every model at several cutoffs and horizons, held against outcomes.

The way through: `plan` (which moments), `judged` (one moment), `run` (all of them, resumed where
they were kept), `report` and `picture` (for people), `record` (for MLflow).
"""
