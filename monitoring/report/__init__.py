"""Reports made with Evidently: the only folder that imports it."""

from monitoring.report.summary import read_sample, run_default_drift, write_data_summary

__all__ = ["read_sample", "run_default_drift", "write_data_summary"]
