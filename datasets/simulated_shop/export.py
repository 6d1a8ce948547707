"""The files of the simulated shop: plain CSV as a shop would export it, written all or nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from datasets.simulated_shop.basket import CATEGORIES, CHANNELS, NEW_CHANNEL
from datasets.simulated_shop.draws import Floats, Ints, pick
from datasets.simulated_shop.incidents import spoil_records
from datasets.simulated_shop.phrases import LANGUAGES, N_CHOICES, build_review_text
from datasets.simulated_shop.voices import SESSION_KINDS, TONES
from datasets.simulated_shop.world import World
from features.durable import hold_lock, replace_folder
from features.errors import InputError

REGIONS = ("华东", "华南", "华北", "华中", "西南", "东北", "西北")
REGION_SHARES = (0.31, 0.22, 0.17, 0.11, 0.10, 0.05, 0.04)
ENGLISH_SHARE = 0.25
HOURS = np.array(
    [2, 1, 0.5, 0.3, 0.3, 0.5, 1, 2, 4, 5.5, 6.5, 6, 6, 5.5, 5, 5, 5, 5, 5.5, 7, 9, 10, 8, 4.5]
)
"""How busy each hour of the day is."""
Times = np.ndarray[tuple[int], np.dtype[np.datetime64]]


def build_files(world: World) -> dict[str, pd.DataFrame]:
    """Build the four tables that the shop exports, by name of file.

    Times are local to the shop and whole seconds; rows stand in order of time.
    """
    return {
        "order_lines.csv": _order_lines(world),
        "customers.csv": _customers(world),
        "reviews.csv": _reviews(world),
        "interactions.csv": _interactions(world),
    }


def write_shop(
    world: World, out: Path, oracle: pd.DataFrame | None = None, seed: int | None = None
) -> dict[str, str]:
    """Write the files of the shop into the folder `out`, replacing an earlier shop there.

    Parameters
    ----------
    world : World
        What is written.
    out : Path
        Folder that appears, complete, at the end; an interrupted run leaves nothing of its own.
    oracle : DataFrame, optional
        Kept aside as oracle.parquet.
    seed : int, optional
        Told in generated.json beside the parameters and the digest.

    Returns
    -------
    dict of str
        sha256 of each file.

    Raises
    ------
    InputError
        If `out` holds something that is not a generated shop.
    """
    if out.exists() and not (out / "generated.json").is_file() and any(out.iterdir()):
        raise InputError(
            f"{out} holds other files; expected an empty folder or an earlier simulated shop",
            "give another folder with --out",
        )
    with hold_lock(out.with_name(f".{out.name}.lock")), replace_folder(out) as fresh:
        for name, frame in build_files(world).items():
            table = pa.Table.from_pandas(frame, preserve_index=False)
            pa.csv.write_csv(table, fresh / name, pa.csv.WriteOptions(quoting_style="needed"))
        if oracle is not None:
            oracle.to_parquet(fresh / "oracle.parquet", index=False)
        digests = {path.name: _digest(path) for path in sorted(fresh.iterdir())}
        _write_account(world, fresh / "generated.json", digests, seed)
    return digests


def _write_account(world: World, path: Path, digests: dict[str, str], seed: int | None) -> None:
    """Write what was generated, from what, and its digest; nothing in it depends on the clock."""
    whole = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
    told = {
        "seed": seed,
        "parameters": dataclasses.asdict(world.parameters),
        "files": digests,
        "digest": whole,
    }
    path.write_text(json.dumps(told, indent=1, default=str, ensure_ascii=False) + "\n", "utf-8")


def _digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _clock(world: World, days: Floats) -> Times:
    """Turn days with fractions into local times; the fraction decides how far the day is."""
    day = np.floor(days)
    done = np.append(0, np.cumsum(HOURS)) / HOURS.sum()
    seconds = np.interp(days - day, done, np.arange(25)) * 3600
    whole = (day * 86_400 + np.minimum(seconds, 86_399)).astype(np.int64)
    return np.asarray(np.datetime64(world.parameters.start, "s") + whole)


def _order_lines(world: World) -> pd.DataFrame:
    """Build the order lines: sales, and returns as later lines of the same order below zero."""
    lines, orders = world.lines, world.orders
    who, key = orders.customer[lines.order], orders.number[lines.order] * 8 + lines.number
    sold_at = _clock(world, orders.time[lines.order])
    late = np.datetime64(world.parameters.start, "s") + lines.booked_day * 86_400 + 9 * 3600
    sold_known = np.where(lines.booked_day > orders.day[lines.order], late, sold_at)
    hour = world.draws.uniform("return.hour", who, key)
    back = np.flatnonzero((lines.return_day >= 0) & (lines.return_day < world.parameters.n_days))
    back_at = _clock(world, (lines.return_day + hour)[back])
    booked = lines.return_known_day[back]
    late = np.datetime64(world.parameters.start, "s") + booked * 86_400 + 9 * 3600
    back_known = np.where(booked > lines.return_day[back], late, back_at)
    sold = _line_columns(world, sold_at, sold_known, "sale", slice(None))
    returned = _line_columns(world, back_at, back_known, "return", back)
    returned["unit_price"] = (returned["amount"] / returned["quantity"]).round(2)  # as refunded
    returned["discount"] = 0.0
    for name in ("quantity", "amount"):
        returned[name] = -returned[name]
    both = pd.concat([sold, returned], ignore_index=True)
    both = both.sort_values(["happened_at", "order_id", "line"], kind="stable", ignore_index=True)
    hit = world.draws.uniform("record.hit", np.arange(len(both)))
    return spoil_records(both, hit, world.parameters.start, world.parameters.incidents)


def _line_columns(
    world: World, happened: Times, recorded: Times, kind: str, rows: Ints | slice
) -> pd.DataFrame:
    """Build the columns of some order lines, all of one kind."""
    lines, orders = world.lines, world.orders
    order = lines.order[rows]
    number = orders.number[order]
    ids = world.customer_ids[orders.customer[order]]
    rank = np.char.zfill((number + 1).astype(str), 4)
    product = np.char.zfill(lines.product[rows].astype(str), 5)
    channels = np.array([*CHANNELS, NEW_CHANNEL], dtype=object)
    return pd.DataFrame(
        {
            "order_id": ids + "-" + rank.astype(object),
            "line": lines.number[rows],
            "customer_id": ids,
            "happened_at": happened,
            "recorded_at": recorded,
            "kind": kind,
            "product_id": "P" + product.astype(object),
            "category": np.array(CATEGORIES, dtype=object)[lines.category[rows]],
            "channel": channels[lines.channel[rows]],
            "quantity": lines.quantity[rows],
            "unit_price": lines.unit_price[rows],
            "discount": lines.discount[rows],
            "amount": lines.amount[rows],
            "unit_cost": lines.unit_cost[rows],
        }
    )


def _customers(world: World) -> pd.DataFrame:
    """Build the customers: sign-up, region, language, and what only audits may read."""
    n, draws = world.parameters.n_customers, world.draws
    who = np.arange(n)
    first = np.full(n, np.inf)
    np.minimum.at(first, world.orders.customer, world.orders.time)
    lag = np.floor(-20 * np.log(draws.uniform("customer.lag", who))).astype(np.int64)
    lag = np.where(draws.uniform("customer.direct", who) < 0.6, 0, np.minimum(lag, 365))
    day = np.maximum(np.floor(first).astype(np.int64) - lag, 0)
    income = 0.6 * world.traits.log_value_z + 0.8 * draws.normal("customer.income", who)
    band = np.array(["low", "middle", "high"], dtype=object)[np.digitize(income, [-0.6, 0.9])]
    band[draws.uniform("customer.untold", who) < 0.15] = ""
    gender = np.array(["F", "M", ""], dtype=object)
    birth = np.clip(1988 + 11 * draws.normal("customer.birth", who), 1935, 2005).astype(np.int64)
    return pd.DataFrame(
        {
            "customer_id": world.customer_ids,
            "signed_up_on": (np.datetime64(world.parameters.start) + day).astype(str),
            "region": np.array(REGIONS, dtype=object)[
                pick(draws.uniform("customer.region", who), REGION_SHARES)
            ],
            "language": np.array(LANGUAGES, dtype=object)[_language(world, who)],
            "gender": gender[pick(draws.uniform("customer.gender", who), [0.58, 0.36, 0.06])],
            "birth_year": birth,
            "income_band": band,
        }
    )


def _language(world: World, who: Ints) -> Ints:
    """Return the language of each customer: 0 Chinese, 1 English."""
    uniform = world.draws.uniform("customer.language", who)
    return np.asarray((uniform < ENGLISH_SHARE).astype(np.int64))


def _reviews(world: World) -> pd.DataFrame:
    """Build the reviews, texts and all, in order of time."""
    voices, orders = world.voices, world.orders
    rows = np.flatnonzero(voices.review_day >= 0)
    who, number = orders.customer[rows], orders.number[rows]
    fraction = world.draws.uniform("review.hour", who, number)
    counter = number[:, None] * 16 + np.arange(N_CHOICES)
    choices = world.draws.uniform("review.words", who[:, None], counter)
    language = _language(world, who)
    texts = [
        build_review_text(LANGUAGES[spoken], TONES[tone], row)
        for spoken, tone, row in zip(language, voices.tone[rows], choices, strict=True)
    ]
    ids = world.customer_ids[who]
    order_id = ids + "-" + np.char.zfill((number + 1).astype(str), 4).astype(object)
    frame = pd.DataFrame(
        {
            "review_id": "R" + order_id,
            "customer_id": ids,
            "order_id": order_id,
            "written_at": _clock(world, voices.review_day[rows] + fraction),
            "stars": voices.stars[rows],
            "text": texts,
        }
    )
    return frame.sort_values(["written_at", "review_id"], kind="stable", ignore_index=True)


def _interactions(world: World) -> pd.DataFrame:
    """Build visits, carts, opened messages, complaints and referrals, in order of time."""
    voices, orders, draws = world.voices, world.orders, world.draws
    ids = world.customer_ids
    kinds = np.array(SESSION_KINDS, dtype=object)
    parts = [
        pd.DataFrame(
            {
                "customer_id": ids[orders.customer[voices.session_order]],
                "happened_at": _clock(world, voices.session_time),
                "kind": kinds[voices.session_kind],
            }
        )
    ]
    for kind, day in (("complaint", voices.complaint_day), ("referral", voices.referral_day)):
        rows = np.flatnonzero(day >= 0)
        who = orders.customer[rows]
        fraction = draws.uniform(f"{kind}.hour", who, orders.number[rows])
        times = np.maximum(_clock(world, day[rows] + fraction), _clock(world, orders.time[rows]))
        parts.append(pd.DataFrame({"customer_id": ids[who], "happened_at": times, "kind": kind}))
    both = pd.concat(parts, ignore_index=True)
    order = ["happened_at", "customer_id", "kind"]
    return both.sort_values(order, kind="stable", ignore_index=True)
