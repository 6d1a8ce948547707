"""A simulated shop whose truth is known: customers who buy, are pleased or not, and leave.

`parameters` holds every number of the world, `calendar` its seasons, `process` who buys when,
`basket` what is bought and sent back, `voices` what customers say and click, `phrases` the words
of their reviews, `incidents` what goes wrong on a date, `oracle` the best forecast anyone could
make, `export` the files. Run ``python -m datasets.simulated_shop --help``.
"""

from datasets.simulated_shop.incidents import Incident
from datasets.simulated_shop.oracle import build_oracle
from datasets.simulated_shop.parameters import Parameters
from datasets.simulated_shop.world import World, build_world

__all__ = ["Incident", "Parameters", "World", "build_oracle", "build_world"]
