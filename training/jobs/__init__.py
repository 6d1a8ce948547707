"""The jobs of training, each a command: what is asked for, what is done, what is printed.

Libraries that take seconds to import are imported by the job that needs them.
"""

from training.jobs import acts, champion, customers, learn, reviews, tell
from training.jobs.commands import JOBS

__all__ = ["JOBS", "acts", "champion", "customers", "learn", "reviews", "tell"]
