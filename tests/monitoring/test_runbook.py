"""The runbook has one place for every act and for every kind of finding, and for nothing else."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from monitoring.alert import RUNBOOK
from monitoring.finding import KINDS
from monitoring.verdicts import ACTS

ROOT = Path(__file__).resolve().parents[2]


def test_every_act_and_every_kind_has_one_row_that_says_what_to_do():
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    rows = re.findall(r'^\| <a id="([a-z_-]+)"></a>.* \| (.+) \| (.+) \|$', text, re.MULTILINE)
    wanted = [f"act-{act}" for act in ACTS if act != "none"] + [f"kind-{kind}" for kind in KINDS]
    assert Counter(name for name, _, _ in rows) == Counter(wanted)
    assert all(means.strip() and do.strip() for _, means, do in rows)


def test_an_alert_points_into_the_runbook():
    path, _, anchor = RUNBOOK.format(act="retrain").partition("#")
    assert f'<a id="{anchor}"></a>' in (ROOT / path).read_text(encoding="utf-8")
