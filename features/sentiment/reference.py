"""What the scores looked like when a release was made, so that drift of sentiment can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

EDGES = tuple(round(0.1 * i, 1) for i in range(11))
"""Fixed, so that two references can be laid on each other."""


def sentiment_reference(scores: ArrayLike, languages: Sequence[str]) -> dict[str, Any]:
    """Return the distribution of scores and the share of each language, as plain JSON values.

    Parameters
    ----------
    scores : array_like (n,)
        P(positive) of each review.
    languages : sequence of str
        Of each review.

    Returns
    -------
    dict
        ``n``, ``mean`` (None of no reviews), ``edges``, ``shares`` (of the bins between them, the
        last closed) and ``languages`` (share of each, the most frequent first).

    >>> sentiment_reference([0.05, 0.95, 1.0, 0.5], ["zh", "en", "zh", "zh"])["languages"]
    {'zh': 0.75, 'en': 0.25}
    """
    values = np.asarray(scores, dtype=np.float64)
    n = len(values)
    counts = np.histogram(values, np.array(EDGES))[0]
    found = {name: languages.count(name) / n for name in sorted(set(languages))}
    ranked = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "n": n,
        "mean": float(values.mean()) if n else None,
        "edges": list(EDGES),
        "shares": [float(count) / n if n else 0.0 for count in counts],
        "languages": dict(ranked),
    }
