"""The sentences of a card."""

from __future__ import annotations

_EN = {
    "lang": "en",
    "title": "Model card: {source}, release {short}",
    "age_title": "How old it is",
    "dates": "Knows what was known before {cutoff}; trained on {trained_on}.",
    "age": "Read on {today}: {training} days after training, {cutoff} days after the last day it knows.",
    "outlived": (
        "It is older than the {horizon_days} days it predicts: its expected values are of a window "
        "that is over. Train again."
    ),
    "data_title": "Data",
    "data": (
        "Orders of {source} from {history_start} until {cutoff}, amounts in {currency}. Digests: "
        "data {data}, configuration {configuration}, code {code}. Demographic columns marked as "
        "audit-only are never features."
    ),
    "made_title": "How it was made",
    "learned": (
        "The blend of the house: trees, a linear model and buy-till-you-die models on {n_features} "
        "features, learned from {n_cutoffs} cohorts between {first_cutoff} and {last_cutoff}."
    ),
    "baseline_released": (
        "The learned model did not rank better than the best simple rule, so the rule {model} is "
        "released, and says so."
    ),
    "backtest": (
        "Every figure below is of the backtest: the release that would have been made for "
        "{b_cutoff}, held against what its {b_n:,} customers brought in the {b_horizon} days after; "
        "{b_active:,} of them brought something."
    ),
    "level": "The level (how much everybody spends together) comes from the rule {rule}, ratio {ratio:.3f}.",
    "scaled": (
        "No cohort of the whole horizon of {horizon_days} days has matured: it was learned at "
        "{learned_horizon_days} days and carried on."
    ),
    "season_unseen": (
        "season_unseen: the season it predicts lies in no matured cohort. The order of customers "
        "holds; the level may be off by half or more."
    ),
    "figures_title": "Figures",
    "figures": "With 95 % intervals over customers (bootstrap).",
    "metric": "Metric", "value": "Value", "interval": "95 %", "meaning": "Meaning",
    "metric_ngini": "ranking; 1 is perfect, 0 is chance",
    "metric_capture_top10": "value held by the predicted top tenth",
    "metric_decile_mape": "mean error of ten groups by value",
    "metric_level_bias": "predicted over realised total; 1 is right",
    "metric_spearman": "correlation of ranks",
    "metric_auc_active": "who comes back; 0.5 is chance",
    "metric_brier": "squared error of P(active)",
    "metric_ece": "calibration error of P(active)",
    "models_title": "Beside simple rules",
    "model": "Model",
    "difference": (
        "The learned blend less {baseline}, the best simple rule: nGini {value:+.4f}, 95 % "
        "[{lower95:+.4f}, {upper95:+.4f}]. * is released."
    ),
    "tiers_title": "Tiers",
    "tiers_learned": "Boundaries were learned on the backtest and certified on customers apart. Amounts in {currency}.",
    "tiers_shares": "Boundaries are cut at the fixed shares of the configuration. Amounts in {currency}.",
    "tier_tier": "Tier", "tier_from": "From", "tier_share": "Share", "tier_mean": "Mean brought",
    "tier_ci": "95 %", "tier_revenue": "Share of revenue",
    "knowledge_title": "How much it knows of a customer",
    "intervals": (
        "Each answer tells an interval in which nine of ten customers like this one end, the "
        "probability that the customer ends within the tier, and whether the value is borderline."
    ),
    "no_intervals": "It tells no intervals and no tier probabilities: {reason}.",
    "held": (
        "Intervals that were learned one cohort earlier covered {coverage} of the backtest's "
        "outcomes (wanted: 90 %); tier probabilities were off by {ece:.3f} on average."
    ),
    "borderline": "Borderline is who stands within these factors of a boundary, bottom to top: {factors}.",
    "rung_head": "Orders", "customers": "Customers", "came_back": "Came back",
    "width": "Width of the interval over value",
    "rung_no_orders": "no order with a value", "rung_one_order": "one order", "rung_repeat": "two or more",
    "rung": "{name}: {n:,} customers ({share}), of whom {active} came back ({n_active:,}). ",
    "rung_ranked": "They are ranked better than chance (nGini {ngini:.2f}).",
    "rung_chance": "Among them the ranking is no better than chance (nGini {ngini:.2f}): do not rely on it.",
    "rung_too_few": "Too few came back to say whether they are ranked better than chance.",
    "rung_most": " They are nearly all customers, so this release knows little of nearly everybody.",
    "groups_title": "Groups",
    "groups": (
        "Held against everybody: level is predicted over realised value relative to all (1 is as "
        "all), the others are differences. Groups that bring less may hold fewer upper tiers."
    ),
    "no_groups": "No group is large enough to be judged, or the source tells none.",
    "no_breach": "No group is over a limit.",
    "breaches": "Over their limits:",
    "group_name": "Group", "group_n": "Customers", "group_level": "Level", "group_p": "P(active)",
    "group_capture": "Capture", "group_ece": "ECE",
    "limits_title": "Use and limits",
    "use": (
        "Meant for: ordering customers for service and campaigns by what they are expected to bring, "
        "and for noticing who may leave."
    ),
    "limit_1": "Not meant for prices, credit, insurance, employment, or any decision a law keeps from machines.",
    "limit_2": "Expected value is a mean over similar customers; one customer's outcome may be far from it.",
    "limit_3": "It knows orders until {cutoff} and nothing of what was planned or happened since.",
    "limit_4": "Customers with fewer than {minimum_orders} order days of positive value get no tier.",
    "limit_5": "A correlation with what followed is no proof that a tier's treatment would cause it.",
}  # fmt: skip

_ZH = {
    "lang": "zh",
    "title": "模型卡：{source}，发布 {short}",
    "age_title": "时效",
    "dates": "所知截至 {cutoff} 之前；训练于 {trained_on}。",
    "age": "阅读日 {today}：距训练 {training} 天，距其所知的最后一天 {cutoff} 天。",
    "outlived": "已超过其预测的 {horizon_days} 天：预期价值所指的窗口已经结束，请重新训练。",
    "data_title": "数据",
    "data": (
        "{source} 自 {history_start} 至 {cutoff} 的订单，金额单位 {currency}。"
        "摘要：数据 {data}，配置 {configuration}，代码 {code}。仅供审计的人口属性列从不作为特征。"
    ),
    "made_title": "如何得到",
    "learned": (
        "本项目的混合模型：树模型、线性模型与购买至流失模型，共 {n_features} 个特征，"
        "学习自 {first_cutoff} 至 {last_cutoff} 的 {n_cutoffs} 个群组。"
    ),
    "baseline_released": "学习模型的排序未优于最好的简单规则，因此发布规则 {model}，并如实说明。",
    "backtest": (
        "以下数字均来自回测：假设在 {b_cutoff} 发布，与其 {b_n:,} 位客户之后 {b_horizon} 天的"
        "实际结果对照；其中 {b_active:,} 位带来了价值。"
    ),
    "level": "总体水平取自规则 {rule}，比例 {ratio:.3f}。",
    "scaled": "没有满 {horizon_days} 天的成熟群组：以 {learned_horizon_days} 天学习后外推。",
    "season_unseen": "season_unseen：所预测的季节不在任何成熟群组中。客户次序可信，总体水平可能偏差一半以上。",
    "figures_title": "指标",
    "figures": "附客户自助法的 95 % 区间。",
    "metric": "指标", "value": "数值", "interval": "95 %", "meaning": "含义",
    "metric_ngini": "排序能力；1 为完美，0 为随机",
    "metric_capture_top10": "预测前十分之一客户所占价值",
    "metric_decile_mape": "按价值分十组的平均误差",
    "metric_level_bias": "预测总额与实际之比；1 为准确",
    "metric_spearman": "秩相关",
    "metric_auc_active": "谁会回来；0.5 为随机",
    "metric_brier": "活跃概率的平方误差",
    "metric_ece": "活跃概率的校准误差",
    "models_title": "与简单规则对照",
    "model": "模型",
    "difference": (
        "混合模型减去最好的简单规则 {baseline}：nGini {value:+.4f}，95 % "
        "[{lower95:+.4f}, {upper95:+.4f}]。* 为所发布者。"
    ),
    "tiers_title": "等级",
    "tiers_learned": "边界在回测上学习，并在另外的客户上认证。金额单位 {currency}。",
    "tiers_shares": "边界按配置的固定占比切分。金额单位 {currency}。",
    "tier_tier": "等级", "tier_from": "起点", "tier_share": "占比", "tier_mean": "实际平均价值",
    "tier_ci": "95 %", "tier_revenue": "收入占比",
    "knowledge_title": "对单个客户知道多少",
    "intervals": "每个回答给出区间（十位相似客户中九位落在其中）、落在该等级内的概率，以及是否临界。",
    "no_intervals": "不给出区间与等级概率：{reason}。",
    "held": "在更早一个群组上学到的区间覆盖了回测结果的 {coverage}（目标 90 %）；等级概率平均偏差 {ece:.3f}。",
    "borderline": "与边界相差在以下倍数之内者为临界（自低到高）：{factors}。",
    "rung_head": "订单", "customers": "客户数", "came_back": "回来比例", "width": "区间宽度与价值之比",
    "rung_no_orders": "无正价值订单", "rung_one_order": "一次", "rung_repeat": "两次及以上",
    "rung": "{name}：{n:,} 位客户（{share}），其中 {active} 回来（{n_active:,} 位）。",
    "rung_ranked": "其排序优于随机（nGini {ngini:.2f}）。",
    "rung_chance": "其内部排序并不优于随机（nGini {ngini:.2f}）：请勿依赖。",
    "rung_too_few": "回来者太少，无法判断排序是否优于随机。",
    "rung_most": "他们几乎就是全部客户，因此本发布对几乎所有人都所知甚少。",
    "groups_title": "群体",
    "groups": "与全体对照：水平为预测与实际之比相对全体（1 为一致），其余为差值。带来价值较少的群体，高等级可以较少。",
    "no_groups": "没有足够大的群体可供评估，或数据源未提供。",
    "no_breach": "没有群体超出限值。",
    "breaches": "超出限值：",
    "group_name": "群体", "group_n": "客户数", "group_level": "水平", "group_p": "活跃概率",
    "group_capture": "捕获", "group_ece": "ECE",
    "limits_title": "用途与局限",
    "use": "用途：按预期价值为服务与营销排列客户，并留意可能流失的客户。",
    "limit_1": "不用于定价、信贷、保险、雇佣，或法律不许由机器作出的任何决定。",
    "limit_2": "预期价值是相似客户的平均；单个客户的结果可能相去甚远。",
    "limit_3": "它只知道 {cutoff} 之前的订单，对此后的计划与事件一无所知。",
    "limit_4": "正价值订单日少于 {minimum_orders} 天的客户不给等级。",
    "limit_5": "与后来结果的相关，并不证明某等级的待遇会造成该结果。",
}  # fmt: skip

TEXTS: dict[str, dict[str, str]] = {"en": _EN, "zh": _ZH}
