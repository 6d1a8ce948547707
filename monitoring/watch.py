"""One look at everything: order lines, a window of answers, matured cohorts -> one decision. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from features.config import MonitoringSettings
from features.order_days import OrderDays
from features.sentiment.periods import TextPeriod
from monitoring.drift import Drift, Window, measure_drift
from monitoring.finding import Finding
from monitoring.ladder import Decision, Memory, Seen, decide_act
from monitoring.order_faults import LEAST_DAYS, find_order_faults
from monitoring.performance import Performance
from monitoring.texts import TextDrift, measure_texts
from training.reference import Reference


@dataclass(frozen=True)
class Verdict:
    """What was seen on a day and what follows.

    Attributes
    ----------
    as_of : date
        The first day that was not looked at.
    drift : Drift or None
        Of the window; None without a reference.
    order_findings : tuple of Finding
        Of the new days of order lines.
    performances : tuple of Performance
        Newest cohort first.
    decision : Decision
        The act and what to remember.
    texts : TextDrift or None
        Of the reviews; None where there are none to compare with.
    """

    as_of: date
    drift: Drift | None
    order_findings: tuple[Finding, ...]
    performances: tuple[Performance, ...]
    decision: Decision
    texts: TextDrift | None = None


def watch(
    window: Window,
    reference: Reference | None,
    days: OrderDays | None,
    performances: Sequence[Performance],
    memory: Memory,
    settings: MonitoringSettings,
    promoted_on: date | None = None,
    n_new_days: int = 1,
    faults_of_answers: tuple[Finding, ...] = (),
    texts: TextPeriod | None = None,
) -> Verdict:
    """Look at one window and decide.

    Parameters
    ----------
    window : Window
        Answers of one release.
    reference : Reference or None
        Frozen with that release.
    days : OrderDays or None
        Order lines up to the window's end; fewer than five weeks say nothing.
    performances : sequence of Performance
        Of cohorts that this release predicted.
    memory : Memory
        Of the runs before.
    settings : MonitoringSettings
        Limits.
    promoted_on : date, optional
        When the release was promoted.
    n_new_days : int
        Days of order lines since the look before, the last ones.
    faults_of_answers : tuple of Finding
        What is broken in the vectors that clients sent.
    texts : TextPeriod, optional
        The reviews of the newest four weeks.
    """
    by_age = tuple(sorted(performances, key=lambda each: each.cutoff, reverse=True))
    judged = [each for each in by_age if each.status == "judged"]
    findings: list[Finding] = list(judged[0].findings) if judged else []
    order_findings: tuple[Finding, ...] = ()
    drift, text_drift = None, None
    if reference is None:
        findings.append(Finding("no_reference", "the release", 0, 1))
    else:
        drift = measure_drift(window, reference, settings)
        findings += drift.findings
        age = (window.as_of - reference.cutoff).days
        if age > settings.oldest_reference_days:
            findings.append(
                Finding("old_reference", "the release", age, settings.oldest_reference_days)
            )
        if days is not None and reference.orders is not None:
            order_findings = tuple(
                finding
                for end in range(max(len(days) - n_new_days, LEAST_DAYS) + 1, len(days) + 1)
                for finding in find_order_faults(days.slice(0, end), reference.orders, settings)
            )
        if texts is not None and reference.texts:
            text_drift = measure_texts(texts, reference.texts, settings)
            findings += text_drift.findings
    held = [each.cutoff for each in judged if not any(f.kind == "rank" for f in each.findings)]
    seen = Seen(
        window.as_of,
        (*order_findings, *faults_of_answers, *findings),
        drift is not None and drift.status == "insufficient",
        promoted_on,
        max(held, default=None),
    )
    decision = decide_act(seen, memory, settings)
    return Verdict(window.as_of, drift, order_findings, by_age, decision, text_drift)
