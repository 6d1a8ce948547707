-- The features of order lines as one would write them by hand for DuckDB, in float64 throughout.
-- benchmarks/feature_peers.py fills in the parquet file, the dates, and the windows, which are many
-- and alike.
WITH lines AS (
    SELECT customer_id, order_id, date_diff('day', day, DATE '{cutoff}') AS age, hour, amount, margin,
           quantity, discount, product_id, category, channel
    FROM read_parquet('{lines}')
    WHERE day >= DATE '{start}' AND day < DATE '{cutoff}' AND known_day < DATE '{cutoff}'
),
days AS (
    SELECT customer_id, age, sum(amount) AS net,
           sum(greatest(amount, 0)) AS gross, sum(greatest(-amount, 0)) AS returned,
           count(*) AS n_lines, count(DISTINCT product_id) AS n_products, avg(hour) AS hour,
           sum(discount) AS discount, sum(greatest(quantity, 0)) AS units_sold,
           sum(greatest(-quantity, 0)) AS units_returned, sum(margin) AS margin
    FROM lines GROUP BY customer_id, age
),
placed AS (
    SELECT *, lag(age) OVER in_time AS previous_age, lag(age, 2) OVER in_time AS second_previous_age,
           lead(age) OVER in_time AS next_age,
           ({weekday} + 6 * age) % 7 AS weekday
    FROM days WINDOW in_time AS (PARTITION BY customer_id ORDER BY age DESC)
),
sums AS (
    SELECT customer_id, count(*)::DOUBLE AS n_order_days, min(age)::DOUBLE AS days_since_last_order,
           max(previous_age) FILTER (next_age IS NULL) AS days_since_second_last_order,
           max(second_previous_age) FILTER (next_age IS NULL) AS days_since_third_last_order,
           max(age)::DOUBLE AS tenure_days, sum(net) AS net_spend, max(net) AS max_day_value,
           sum(net) FILTER (next_age IS NULL) AS last_day_value,
           sum(net) FILTER (previous_age IS NULL) AS first_day_value,
           stddev_pop(net) AS day_value_sd,
           exp(avg(ln(greatest(gross, 0.01)))) AS geometric_mean_day_value,
           count(*) FILTER (net > 5e-7) AS n_positive_days,
           coalesce(sum(net) FILTER (net > 0), 0) AS positive_day_spend,
           stddev_pop(previous_age - age) AS gap_sd, count(previous_age) AS n_gaps,
           max(previous_age - age) FILTER (next_age IS NULL) AS last_gap_days,
           max(previous_age - age) AS max_gap_days,
           sum(returned) AS returned, sum(gross) AS gross,
           count(*) FILTER (returned > 0) AS n_return_days,
           count(*) FILTER (net <= 5e-7) AS n_nonpositive_days,
           sum(n_lines)::DOUBLE AS n_lines, avg(n_products) AS products_per_day,
           max(n_products) FILTER (next_age IS NULL) AS last_day_products,
           count(*) FILTER (weekday >= 5) AS n_weekend_days,
           sum(cos(weekday * 2 * pi() / 7)) AS east, sum(sin(weekday * 2 * pi() / 7)) AS north,
           avg(hour) AS mean_hour, max(weekday) FILTER (next_age IS NULL) AS last_weekday,
           sum(discount) AS discount, count(*) FILTER (discount > 0) AS n_discount_days,
           sum(margin) AS margin, sum(units_sold) AS units_sold, sum(units_returned) AS units_returned,
           count(*) FILTER (units_sold > 0) AS n_unit_days,
           {windows}
    FROM placed GROUP BY customer_id
),
orders AS (
    SELECT customer_id, max(age) FILTER (amount >= 0) AS sold_age,
           max(age) FILTER (amount < 0) AS returned_age
    FROM lines GROUP BY customer_id, order_id
),
order_sums AS (
    SELECT customer_id, count(sold_age) AS n_orders,
           avg(sold_age - returned_age) FILTER (sold_age >= returned_age) AS return_lag_days
    FROM orders GROUP BY customer_id
),
categories AS (
    SELECT customer_id, count(*) AS n FROM lines
    WHERE amount >= 0 AND category IS NOT NULL GROUP BY customer_id, category
),
category_sums AS (
    SELECT customer_id, count(*) AS n_categories, sum(n * n) / sum(n) ** 2 AS category_concentration
    FROM categories GROUP BY customer_id
),
channels AS (
    SELECT customer_id, count(*) AS n FROM lines
    WHERE amount >= 0 AND channel IS NOT NULL GROUP BY customer_id, channel
),
channel_sums AS (
    SELECT customer_id, count(*) AS n_channels, sum(n * n) / sum(n) ** 2 AS channel_concentration,
           max(n) / sum(n) AS main_channel_share
    FROM channels GROUP BY customer_id
)
SELECT * EXCLUDE (gap_sd, n_gaps, returned, gross, n_lines, n_weekend_days, east, north, discount,
                  margin, units_sold, units_returned, n_unit_days),
       tenure_days - days_since_last_order AS first_to_last_days,
       net_spend / n_order_days AS mean_day_value,
       (days_since_last_order - 1) / tenure_days AS recency_ratio,
       n_order_days / greatest(tenure_days, {horizon} / 2) AS order_rate,
       net_spend / greatest(tenure_days, {horizon} / 2) AS spend_rate,
       day_value_sd / greatest(abs(net_spend / n_order_days), 1e-6) AS day_value_cv,
       net_spend - first_day_value AS repeat_net_spend,
       first_to_last_days / nullif(n_order_days - 1, 0) AS mean_gap_days,
       CASE WHEN n_gaps > 1 THEN gap_sd END AS gap_sd_days,
       CASE WHEN n_order_days > 1
            THEN (days_since_last_order - 1) / greatest(first_to_last_days / nullif(n_order_days - 1, 0), 1)
            ELSE 0 END AS overdue_ratio,
       (days_since_last_order - 1) / greatest(coalesce(max_gap_days, 0), 1) AS overdue_max_ratio,
       (net_spend_last_horizon - net_spend_previous_horizon)
           / (abs(net_spend_last_horizon) + abs(net_spend_previous_horizon) + 1e-6) AS spend_trend,
       (n_order_days_last_horizon - n_order_days_previous_horizon)
           / (n_order_days_last_horizon + n_order_days_previous_horizon + 1e-6) AS order_trend,
       returned / greatest(gross, 1e-6) AS return_share,
       n_lines / n_order_days AS lines_per_day,
       n_weekend_days / n_order_days AS weekend_share,
       sqrt(east * east + north * north) / n_order_days AS weekday_concentration,
       discount / greatest(gross + discount, 1e-6) AS discount_share,
       CASE WHEN net_spend > 5e-7 THEN margin / net_spend END AS margin_share,
       units_returned / greatest(units_sold, 1e-6) AS return_units_share,
       units_sold AS n_units, units_sold / nullif(n_unit_days, 0) AS units_per_day,
       gross / nullif(units_sold, 0) AS gross_value_per_unit
FROM sums
LEFT JOIN order_sums USING (customer_id)
LEFT JOIN category_sums USING (customer_id)
LEFT JOIN channel_sums USING (customer_id)
ORDER BY customer_id
