"""The HTTP API: every body that comes in or goes out, with units, descriptions and examples.

Nothing else in the project knows the names of these fields. The OpenAPI document is built from
these same structs, and a decoder of these structs is what reads a request, so the document
cannot say one thing and the service another.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

MAX_ID_LENGTH = 256


def _text(description: str, *examples: Any) -> Meta:
    return Meta(description=description, examples=list(examples))


def _amount(description: str, *examples: Any) -> Meta:
    return Meta(
        description=description,
        examples=list(examples),
        extra_json_schema={"x-unit": "the answer's currency"},
    )


def _share(description: str, *examples: Any) -> Meta:
    return Meta(description=description, examples=list(examples), extra_json_schema={"x-unit": "1"})


def _days(description: str, *examples: Any) -> Meta:
    return Meta(
        description=description, examples=list(examples), extra_json_schema={"x-unit": "days"}
    )


CustomerId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_ID_LENGTH,
        description="The customer's id, byte for byte as in the source: 00123 and 123 are two.",
        examples=["00123"],
    ),
]
CustomerIdOrNull = Annotated[
    CustomerId | None, Meta(description="The id that was asked for; null for a vector without one.")
]
ReleaseId = Annotated[
    str, _text("First 12 hex digits of the digest of the release that answered.", "3f9c0a1be2d4")
]
PolicyId = Annotated[
    str,
    _text("First 12 hex digits of the digest of the release's tier policy.", "a71d03c98e55"),
]
Currency = Annotated[str, _text("Currency of every amount in this answer.", "GBP")]
Horizon = Annotated[int, _days("Days after the cutoff for which value and churn hold.", 180)]
Cutoff = Annotated[str, _text("First day that the release did not know, ISO 8601.", "2011-06-13")]
TierId = Annotated[str, _text("Id of a tier.", "gold")]
BoundaryBelow = Annotated[
    float | None,
    _amount("Least expected_value of the indicated tier; null for the bottom tier.", 230.0, None),
]
BoundaryAbove = Annotated[
    float | None,
    _amount("Least expected_value of the tier above it; null for the top tier.", 900.0, None),
]


class TierLabel(Struct, frozen=True, gc=False):
    """The name of a tier, for people."""

    zh: Annotated[str, _text("Chinese name.", "黄金")]
    en: Annotated[str, _text("English name.", "Gold")]


Label = Annotated[TierLabel | None, Meta(description="Name of `tier` in two languages.")]
Features = Annotated[
    dict[str, float | None],
    Meta(
        description=(
            "Values by feature name; GET /v1/scheme lists the names, which of them are required, "
            "and docs/glossary.md their units. A missing or null value means: not known."
        ),
        examples=[{"n_order_days": 7, "net_spend": 812.4, "mean_gap_days": None}],
    ),
]


class TierAnswer(Struct, frozen=True, kw_only=True):
    """The tier of one customer, and what it rests on."""

    customer_id: CustomerIdOrNull
    status: Annotated[
        Literal["ok", "insufficient_data", "unknown_customer"],
        _text(
            "ok; insufficient_data: known, but too little to tell a tier; unknown_customer: only "
            "inside a batch (a single look-up answers 404).",
            "ok",
        ),
    ]
    reason: (
        Annotated[
            str,
            _text(
                "Why there is no tier; absent when status is ok.", "no order with a value above 0"
            ),
        ]
        | UnsetType
    ) = UNSET
    tier: Annotated[
        str | None,
        _text("The tier that counts: the one in force, or else the indicated one.", "gold"),
    ]
    tier_in_force: Annotated[
        str | None,
        _text(
            "The tier of the last re-tier date; null before the first, for who came since, and for "
            "a feature vector.",
            "gold",
        ),
    ]
    tier_since: Annotated[
        str | None, _text("Re-tier date from which it has held, ISO 8601.", "2011-04-01")
    ]
    indicated_tier: Annotated[
        str | None, _text("The tier that expected_value alone would give.", "gold")
    ]
    tier_label: Label
    tier_probability: Annotated[
        float | None,
        _share(
            "Probability that what the customer brings within the horizon lies within the "
            "boundaries of indicated_tier, 0 to 1; null where too few outcomes were known.",
            0.34,
        ),
    ]
    borderline: Annotated[
        bool | None,
        _text(
            "Whether expected_value is so near a boundary that training again moves at least one "
            "in six customers like this one.",
            False,
        ),
    ]
    expected_value: Annotated[
        float | None, _amount("Net value expected within the horizon.", 412.5)
    ]
    expected_value_low90: Annotated[
        float | None,
        _amount(
            "Nine of ten customers like this one bring at least this and at most "
            "expected_value_high90; 0 where many bring nothing.",
            0.0,
        ),
    ]
    expected_value_high90: Annotated[
        float | None,
        _amount(
            "Upper end of the same interval; below expected_value where nearly all bring nothing.",
            1290.0,
        ),
    ]
    rung: Annotated[
        Literal["no_orders", "one_order", "repeat"],
        _text(
            "How much the customer has shown: order days with a positive value, none, one, or "
            "more; with fewer the interval is wider for its value.",
            "repeat",
        ),
    ]
    currency: Currency
    p_churn: Annotated[
        float | None, _share("Probability of no net value within the horizon, 0 to 1.", 0.21)
    ]
    horizon_days: Horizon
    value_at_risk: Annotated[
        float | None,
        _amount(
            "p_churn times the value if the customer stays: what winning back is worth.", 110.2
        ),
    ]
    risk_level: Annotated[
        str | None,
        _text("Level of p_churn; null where no levels could be certified.", "low"),
    ]
    lifecycle: Annotated[
        str | None,
        _text(
            "Where the customer stands by the own cadence: new, active, cooling, dormant, lost or "
            "won_back; null where it is not told.",
            "active",
        ),
    ]
    playbook: Annotated[
        list[str],
        _text(
            "What is to be done: ids, whose texts GET /v1/scheme gives.",
            ["personal_recommendation"],
        ),
    ]
    boundary_below: BoundaryBelow
    boundary_above: BoundaryAbove
    value_to_next_tier: Annotated[
        float | None,
        _amount(
            "What expected_value lacks to indicate the next tier; null for the top tier.", 487.5
        ),
    ]
    cutoff: Cutoff
    release: ReleaseId
    policy: PolicyId


class TierRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One feature vector to be placed in a tier."""

    customer_id: CustomerId | UnsetType = UNSET
    features: Features


class BatchItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of a batch: an id to look up, or a feature vector (which may bear an id)."""

    customer_id: CustomerId | UnsetType = UNSET
    features: Features | UnsetType = UNSET


class SchemeTier(Struct, frozen=True, kw_only=True):
    """One tier of the scheme."""

    tier: TierId
    tier_label: TierLabel
    boundary_below: BoundaryBelow
    boundary_above: BoundaryAbove
    share: Annotated[float, _share("Share of customers that the tier was cut for, 0 to 1.", 0.08)]
    realised_mean: Annotated[
        float | None,
        _amount("Mean net value that the tier's customers brought in the backtest.", 402.9),
    ]
    revenue_share: Annotated[
        float | None, _share("The tier's share of all value in the backtest, 0 to 1.", 0.24)
    ]


class PlaybookAction(Struct, frozen=True, kw_only=True):
    """One action that answers name by its id."""

    id: Annotated[str, _text("Its id.", "wake_up")]
    zh: Annotated[str, _text("What is to be done, in Chinese.", "唤醒")]
    en: Annotated[str, _text("What is to be done, in English.", "Wake-up")]


class FeatureName(Struct, frozen=True, kw_only=True):
    """One name that POST /v1/tier and POST /v1/tiers take in features."""

    name: Annotated[str, _text("Its name.", "n_order_days")]
    unit: Annotated[str, _text("Unit of its values.", "days", "currency")]
    meaning: Annotated[str, _text("What it is.", "Days with an accepted order line.")]
    required: Annotated[bool, _text("Whether it must have a number.", True)]


class Scheme(Struct, frozen=True, kw_only=True):
    """The tiers in force, from the bottom to the top, and where they come from."""

    release: ReleaseId
    model: Annotated[str, _text("Name of the model that gives expected_value.", "hurdle")]
    source: Annotated[str, _text("Name of the data source.", "online_retail_II")]
    currency: Currency
    horizon_days: Horizon
    cutoff: Cutoff
    tiers: Annotated[list[SchemeTier], Meta(description="Bottom to top.")]
    playbook: Annotated[
        list[PlaybookAction], Meta(description="The actions of the playbook, in their order.")
    ]
    features: Annotated[
        list[FeatureName], Meta(description="What a feature vector for this release may hold.")
    ]


class ErrorDetail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, in three sentences: found, expected, do."""

    code: Annotated[
        str, _text("A stable word for programs.", "unknown_customer", "unknown_feature")
    ]
    found: Annotated[str, _text("What was found.", 'no customer "00123"')]
    expected: Annotated[str, _text("What was expected.", "a customer of the scored feature table")]
    do: Annotated[str, _text("What to do about it.", "check the id, with its leading zeros")]
    field: (
        Annotated[str, _text("The offending field, as a path.", "features.n_order_days")]
        | UnsetType
    ) = UNSET


class ErrorBody(Struct, frozen=True):
    """The body of every answer with a status of 400 and above."""

    error: ErrorDetail
