"""Rows of a source to rows of the canonical tables: which cell becomes what, and what is wrong."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.ingestion.outcomes import UNDATED, Code
from features.ingestion.parse import (
    by_distinct,
    filled_text_of,
    match_rows,
    parse_customer_ids,
    true_mask,
)
from features.ingestion.rows import Rows, map_rows


def _customer_ids(rows: Rows) -> pa.Array:
    column = rows.files.column("customer_id")
    assert column is not None  # required by Files
    ids = parse_customer_ids(rows.cells[column], column, rows.files.customer_id_pattern)
    rows.verdicts.mark(ids.codes, column)
    edge = match_rows(ids.values, lambda t: pc.not_equal(t, pc.utf8_trim_whitespace(t)))
    rows.verdicts.note("customer_id_with_outer_space", int(edge.sum()))
    return _roll_up(rows, ids.values)


def _roll_up(rows: Rows, customers: pa.Array) -> pa.Array:
    """Return the account of each contact; a contact without one stands for itself."""
    column = rows.files.column("account")
    if column is None:
        return customers
    accounts = parse_customer_ids(rows.cells[column], column)
    given = accounts.codes != Code.MISSING_CUSTOMER_ID
    rows.verdicts.mark_where(given & (accounts.codes != 0), Code.SUSPICIOUS_CUSTOMER_ID, column)
    rows.verdicts.note("rolled_up_to_account", int(given.sum()))
    return pc.coalesce(accounts.values, customers)


def _event_times(rows: Rows) -> dict[str, pa.Array]:
    """Return occurred_at, day, known_day and hour; mark what is wrong with them."""
    happened, known = rows.moments("occurred_at"), rows.moments("known_at")
    assert happened is not None  # required by Files
    verdicts, source = rows.verdicts, rows.source
    column = rows.files.columns["occurred_at"][0]
    verdicts.mark(happened.codes, column)
    verdicts.n_undated += int(np.isin(happened.codes, UNDATED).sum())
    too_early = happened.days < np.datetime64(source.data_starts_on)
    verdicts.mark_where(too_early, Code.DATE_TOO_EARLY, column)
    future = happened.days >= np.datetime64(source.data_complete_before)
    verdicts.mark_where(future, Code.FUTURE_DATE, column)
    verdicts.note("local_time_shown_twice", happened.n_twice)
    verdicts.note("local_time_skipped", happened.n_skipped)
    known_days = happened.days
    if known is not None:
        told = known.codes != Code.MISSING_DATE
        verdicts.mark(
            np.where(told, known.codes, 0).astype(np.uint8), rows.files.columns["known_at"][0]
        )
        known_days = np.where(told, known.days, happened.days)
    instants = pa.array(happened.instants, pa.int64()).cast(pa.timestamp("us", "UTC"))
    return {
        "occurred_at": instants,
        "day": pa.array(happened.days),
        "known_day": pa.array(known_days),
        "hour": pa.array(happened.hours, from_pandas=True),
    }


def _amounts(rows: Rows, days: np.ndarray) -> dict[str, np.ndarray | None]:
    """Return amount, quantity, margin and discount, signed as the source writes them."""
    given = "amount" in rows.files.columns
    lacking = Code.ACCEPTED if given else Code.MISSING_AMOUNT
    quantity, price = rows.number("quantity", lacking), rows.number("unit_price", lacking)
    amount = rows.number("amount", Code.MISSING_AMOUNT) if given else None
    if amount is None:
        assert quantity is not None  # required by Files
        assert price is not None
        with np.errstate(over="ignore"):
            amount = quantity * price
        column = rows.files.columns["unit_price"][0]
        rows.verdicts.mark_where(np.isinf(amount), Code.NOT_FINITE, column)
    margin, unit_cost = rows.number("margin"), rows.number("unit_cost")
    if margin is None and unit_cost is not None and quantity is not None:
        margin = amount - quantity * unit_cost
    discount = rows.number("discount")
    rates = _rates(rows, days)
    money = {"amount": amount, "margin": margin, "discount": discount}
    if rates is not None:
        money = {name: None if one is None else one * rates for name, one in money.items()}
    if money["discount"] is not None:
        money["discount"] = np.abs(money["discount"])
    if rows.source.value == "margin" and money["margin"] is not None:
        column = rows.files.column("margin") or rows.files.columns["unit_cost"][0]
        lacking = np.isnan(money["margin"])
        rows.verdicts.mark_where(lacking, Code.MISSING_MARGIN, column)
    return {**money, "quantity": quantity}


def _rates(rows: Rows, days: np.ndarray) -> np.ndarray | None:
    """Return what one unit of each row's currency is worth; None where no column names one."""
    named = rows.text("currency")
    if named is None:
        return None
    own, rates = rows.source.currency, rows.source.rates
    distinct, place = by_distinct(pc.utf8_upper(pc.utf8_trim_whitespace(named)))
    factors = np.full(len(place), np.nan)
    for i, currency in enumerate(distinct.to_pylist()):
        here = place == i
        if currency == own:
            factors[here] = 1.0
            continue
        steps = sorted((r.starting, r.rate) for r in rates if r.currency == currency)
        starts = np.array([start for start, _ in steps], "datetime64[D]")
        worth = np.array([np.nan, *(rate for _, rate in steps)])
        factors[here] = worth[np.searchsorted(starts, days[here], side="right")]
        rows.verdicts.note("converted_currency", int(np.isfinite(factors[here]).sum()))
    column = rows.files.columns["currency"][0]
    rows.verdicts.mark_where(np.isnan(factors), Code.CURRENCY_WITHOUT_RATE, column)
    return factors


def _returns(rows: Rows, money: dict[str, np.ndarray | None]) -> np.ndarray:
    """Return which lines are returns; where they come unsigned, make them negative."""
    returns, amount = rows.files.returns, money["amount"]
    assert amount is not None
    if returns is None:
        negative: np.ndarray = amount < 0
        return negative
    marked = np.zeros(rows.cells.num_rows, bool)
    if returns.order_id_prefix is not None:
        orders, prefix = rows.text("order_id"), returns.order_id_prefix
        if orders is not None:
            marked |= match_rows(orders, lambda t: pc.starts_with(t, prefix))
    if returns.negative_quantity and money["quantity"] is not None:
        marked |= money["quantity"] < 0
    if returns.column is not None:
        cells = filled_text_of(rows.cells[returns.column], returns.column)
        words = pa.array(returns.equals)
        marked |= match_rows(cells, lambda t: pc.is_in(t, value_set=words))
    if returns.unsigned:
        for name in ("amount", "quantity", "margin"):
            values = money[name]
            if values is not None:
                money[name] = np.where(marked, -np.abs(values), values)
    return marked


def _floats(values: np.ndarray | None, n: int) -> pa.Array:
    return pa.nulls(n, pa.float64()) if values is None else pa.array(values, from_pandas=True)


def _texts(rows: Rows, *names: str) -> dict[str, pa.Array]:
    found = {name: rows.text(name) for name in names}
    empty = pa.nulls(rows.cells.num_rows, pa.string())
    return {name: empty if values is None else values for name, values in found.items()}


def _build_order_lines(rows: Rows) -> dict[str, pa.Array]:
    customers, times = _customer_ids(rows), _event_times(rows)
    money = _amounts(rows, times["day"].to_numpy(zero_copy_only=False))
    is_return = _returns(rows, money)
    days = pc.cast(pc.cast(times["day"], pa.date32()), pa.string())
    by_day = pc.binary_join_element_wise(customers, days, ":")
    orders = rows.text("order_id")
    if orders is not None:
        rows.verdicts.note("order_id_from_customer_and_day", orders.null_count)
    n = rows.cells.num_rows
    return {
        "customer_id": customers,
        "order_id": by_day if orders is None else pc.coalesce(orders, by_day),
        **times,
        **{name: _floats(values, n) for name, values in money.items()},
        **_texts(rows, "product_id", "category", "channel"),
        "is_return": pa.array(is_return),
    }


def _build_customers(rows: Rows) -> dict[str, pa.Array]:
    customers = _customer_ids(rows)
    signed_up = rows.moments("signed_up_at")
    days = pa.nulls(rows.cells.num_rows, pa.date32())
    if signed_up is not None:
        told = signed_up.codes != Code.MISSING_DATE
        codes = np.where(told, signed_up.codes, 0).astype(np.uint8)
        rows.verdicts.mark(codes, rows.files.columns["signed_up_at"][0])
        days = pc.if_else(pa.array(told), pa.array(signed_up.days), None)
    return {
        "customer_id": customers,
        "signed_up_day": days,
        **_texts(rows, "region"),
        "attributes": map_rows(rows.cells, list(rows.files.attributes)),
        "audit_only": map_rows(rows.cells, list(rows.files.audit_only)),
    }


def _build_reviews(rows: Rows) -> dict[str, pa.Array]:
    customers, times = _customer_ids(rows), _event_times(rows)
    stars = rows.number("stars")
    if stars is not None:
        outside = (stars < 1) | (stars > 5)
        rows.verdicts.mark_where(outside, Code.RATING_OUT_OF_RANGE, rows.files.columns["stars"][0])
    days = pc.cast(pc.cast(times["day"], pa.date32()), pa.string())
    by_day = pc.binary_join_element_wise(customers, days, ":")
    reviews = rows.text("review_id")
    times.pop("hour")
    return {
        "review_id": by_day if reviews is None else pc.coalesce(reviews, by_day),
        "customer_id": customers,
        **_texts(rows, "order_id", "text"),
        **times,
        "stars": _floats(stars, rows.cells.num_rows),
    }


def _build_interactions(rows: Rows) -> dict[str, pa.Array]:
    customers, times = _customer_ids(rows), _event_times(rows)
    kind = _texts(rows, "kind")["kind"]
    column = rows.files.column("kind") or "kind"
    rows.verdicts.mark_where(true_mask(pc.is_null(kind)), Code.MISSING_KIND, column)
    times.pop("hour")
    return {"customer_id": customers, **times, "kind": kind}


BUILDERS = {
    "order_lines": _build_order_lines,
    "customers": _build_customers,
    "reviews": _build_reviews,
    "interactions": _build_interactions,
}
"""For each canonical table: rows in, one array a column out; failed checks are marked."""
