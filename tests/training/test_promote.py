from __future__ import annotations

import pytest

from training.promote import Decision, Standing, decide_promotion

CHAMPION = Standing("c" * 64, "shop", 0.80)


def standing(ngini: float, source: str = "shop", digest: str = "n" * 64) -> Standing:
    return Standing(digest, source, ngini)


@pytest.mark.parametrize(
    ("challenger", "champion", "replace_source", "promote", "reason"),
    [
        (standing(0.10), None, False, True, "there is no champion yet"),
        (standing(0.10, "other"), None, True, True, "there is no champion yet"),
        (CHAMPION, CHAMPION, False, True, "it is the champion already"),
        (standing(0.90), CHAMPION, False, True, "nGini 0.9000, champion 0.8000"),
        (standing(0.80), CHAMPION, False, True, "nGini 0.8000, champion 0.8000"),
        (standing(0.796), CHAMPION, False, True, "nGini 0.7960, champion 0.8000"),
        (
            standing(0.79),
            CHAMPION,
            False,
            False,
            "nGini 0.7900, champion 0.8000: falls by more than 0.005",
        ),
        (
            standing(0.99, "other"),
            CHAMPION,
            False,
            False,
            "the champion was learned on shop, the challenger on other; "
            "pass --replace-source if that is meant",
        ),
        (standing(0.10, "other"), CHAMPION, True, True, "replaces shop by other, as asked"),
        (
            standing(0.10),
            CHAMPION,
            True,
            False,
            "nGini 0.1000, champion 0.8000: falls by more than 0.005",
        ),
    ],
)
def test_decision_table(challenger, champion, replace_source, promote, reason):
    decision = decide_promotion(challenger, champion, replace_source=replace_source)
    assert decision == Decision(promote, (reason,))
