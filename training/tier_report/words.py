"""The sentences of the tier report, English and Chinese side by side."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Customer tiers: {source}", "客户等级：{source}"),
    "subtitle": (
        "As of {cutoff}. Expected value is net value over the next {days} days. Release {release}.",
        "截至 {cutoff}。预期价值指未来 {days} 天的净收入。版本 {release}。",
    ),
    "lead": (
        "{n} customers are placed by what they are expected to bring. {top} begins at {boundary}: "
        "{share} of the customers, who brought {revenue} of the value when it was last put to the "
        "test.",
        "{n} 位客户按预期价值分级。{top}从 {boundary} 起：占客户的 {share}，"
        "在最近一次回测中贡献了 {revenue} 的价值。",
    ),
    "lead_one": (
        "{n} customers are known. The data carries no boundary between them, so all are in one tier; "
        "the section on trust says why.",
        "共有 {n} 位客户。数据不足以支持任何等级界线，因此全部归为一级；原因见“界线可信吗”。",
    ),
    "tiers": ("The tiers", "等级一览"),
    "tiers_note": (
        "Value, share of value and customers who bought again are what customers of {then} went on "
        "to do in the {days} days after; the model had not seen it. In brackets: 95 % interval. "
        "Boundaries, numbers, returns and opinion are of {now}.",
        "“人均价值”“价值占比”“再次购买”是 {then} 的客户在其后 {days} 天的实际表现，模型事先并不知道；"
        "括号内为 95% 区间。起点、人数、退货和评价为 {now} 的数据。",
    ),
    "tier": ("Tier", "等级"),
    "from": ("From", "起点"),
    "from_none": ("no least", "无下限"),
    "customers": ("Customers", "客户数"),
    "share": ("Share", "客户占比"),
    "mean": ("Value each", "人均价值"),
    "revenue": ("Share of value", "价值占比"),
    "active": ("Bought again", "再次购买"),
    "returned": ("Returned", "退货率"),
    "stars": ("Stars", "评分"),
    "sentiment": ("Sentiment", "情感"),
    "no_reviews": (
        "This source has no reviews, so stars and sentiment are left out.",
        "该数据源没有评价，因此不列评分与情感。",
    ),
    "no_sentiment": (
        "Review texts have not been scored, so sentiment is left out.",
        "评价文本尚未打分，因此不列情感。",
    ),
    "bars": (
        "Who they are and what they brought, {then}",
        "{then}：人数与价值的构成",
    ),
    "bar_customers": ("of customers", "客户"),
    "bar_revenue": ("of value", "价值"),
    "curve": ("Where the boundaries lie", "界线在哪里"),
    "curve_note": (
        "Customers of {then}, the most valuable first; both scales are logarithmic. The line is what "
        "was expected of each, the dots what groups of neighbours then brought. A boundary that "
        "lies on a steep part of the line parts customers who differ; on a flat part it would not.",
        "{then} 的客户，按预期价值从高到低排列，两轴均为对数刻度。线是每位客户的预期价值，点是相邻客户随后的"
        "实际平均价值。界线落在陡处，两侧的客户确有差别；落在平处则不然。",
    ),
    "axis_rank": ("rank of the customer", "客户名次"),
    "axis_value": ("value", "价值"),
    "expected": ("expected", "预期"),
    "realised": ("brought", "实际"),
    "trust": ("Can the boundaries be trusted?", "界线可信吗？"),
    "trust_learned": (
        "The boundaries were learned from {learning} customers of {then}, drawn by a hash of their "
        "number, and then put to the test on the other {certifying}, who had no part in it. A boundary "
        "stays only if the customers above it brought certainly more than those just below it: the "
        "chance that any boundary here is there by luck is at most {level}.",
        "界线由 {then} 的 {learning} 位客户学得（按客户编号的散列抽取），再用其余 {certifying} 位未参与学习的客户检验。"
        "只有上一级客户的实际价值确实高于下一级，界线才保留：整套界线中出现任何一条偶然界线的概率不超过 {level}。",
    ),
    "trust_shares": (
        "The shares are fixed in the configuration, so the boundaries were neither learned nor "
        "put to the test.",
        "各级占比由配置固定，界线既未学习也未检验。",
    ),
    "trust_insufficient": (
        "There was too little to learn from: {reason}.",
        "可供学习的数据不足：{reason}。",
    ),
    "holds": (
        "{tier} above {below}: holds. Members brought {mean} each on average, those below {mean_below}; "
        "were there no difference, a gap like it on the testing customers would come about with "
        "probability {p}.",
        "{tier}高于{below}：成立。该级人均带来 {mean}，下一级 {mean_below}；若两级并无差别，"
        "检验客户中出现这样差距的概率为 {p}。",
    ),
    "untested": (
        "{tier} above {below}: members brought {mean} each on average, those below {mean_below}.",
        "{tier}高于{below}：该级人均带来 {mean}，下一级 {mean_below}。",
    ),
    "merged": (
        "{tier} was merged into {into}: {why}",
        "{tier}并入{into}：{why}",
    ),
    "flagged": ("To look at: {detail}.", "请留意：{detail}。"),
    "flag_unit_slip": (
        "the boundaries in money moved by more than a factor of three since the last scheme; see "
        "whether a currency or a unit has changed",
        "金额界线与上一方案相比变动超过三倍，请核对币种或单位是否有变",
    ),
    "flag_ties": (
        "many customers lie exactly on a boundary; they all belong to the upper tier",
        "许多客户恰好落在界线上，均归入上一级",
    ),
    "flag_realised_value": (
        "boundaries of expected value alone would have given away too much realised value, so what "
        "customers brought was weighed in",
        "只按预期价值划界会损失过多实际价值，因此兼顾了实际价值",
    ),
    "cause_cells": (
        "there are too few different expected values to cut so often.",
        "预期价值的取值太少，分不出这么多级。",
    ),
    "cause_gaps": (
        "no cut meets the least rise in value that the configuration asks for.",
        "没有满足配置中最小价值差的切法。",
    ),
    "cause_rise": (
        "what customers brought does not rise clearly enough from tier to tier.",
        "各级之间实际价值的上升不够明显。",
    ),
    "cause_counts": (
        "too few customers or payers would be in it to learn from.",
        "该级客户或付费客户太少，无从学习。",
    ),
    "cause_shares": (
        "the least and greatest shares of the configuration cannot be met together.",
        "配置中的最小、最大占比无法同时满足。",
    ),
    "cause_no_rise": (
        "what customers brought does not rise with what was expected of them.",
        "实际价值没有随预期价值上升。",
    ),
    "cause_not_certified": (
        "on the testing customers it is not certain that its members bring more than those below "
        "(p = {p}).",
        "在检验客户上，不能确定该级客户的价值高于下一级（p = {p}）。",
    ),
    "moved": ("Who moved", "谁变动了"),
    "moved_backtest": (
        "The same customers, placed on {then} and placed now, {now}. Rows say where they were, columns "
        "where they are; {stayed} stayed, {up} rose, {down} fell, and {new} came between.",
        "同一批客户在 {then} 与 {now} 的等级。行为当时，列为现在；{stayed} 未变，{up} 上升，{down} 下降，"
        "期间新增 {new} 位。",
    ),
    "moved_published": (
        "Published on {then} and on {now}. Rows say where customers were, columns where they are; "
        "{stayed} stayed, {up} rose, {down} fell, and {new} are new.",
        "{then} 与 {now} 两次发布之间。行为之前，列为之后；{stayed} 未变，{up} 上升，{down} 下降，新增 {new} 位。",
    ),
    "moved_none": (
        "Too few customers are known at two dates to say who moved.",
        "两个日期都已知的客户太少，无法说明变动。",
    ),
    "causes": (
        "What moved them, when one part after the other is exchanged:",
        "逐项替换后，变动的原因：",
    ),
    "cause_behaviour": ("what customers did", "客户行为"),
    "cause_model": ("the newer model and its level", "新的模型与水平"),
    "cause_calibration": ("the newer level", "新的水平"),
    "cause_boundary": ("the newer boundaries", "新的界线"),
    "cause_rule": ("seats and rules of the date", "名额与规则"),
    "cause_untold": ("not told: the earlier release is no longer kept", "无法归因：旧版本已不在"),
    "of_row": ("of the row", "占该行"),
    "then": ("then", "当时"),
    "now": ("now", "现在"),
    "next": ("Who moves next", "下一次谁会变动"),
    "next_note": (
        "A dry run for {day}: {up} would rise and {down} would fall. The most valuable of them:",
        "{day} 试算：{up} 位上升，{down} 位下降。其中价值最高的：",
    ),
    "next_none": (
        "No re-tier date has been tried for this release yet. A dry run lists who would move "
        "before anything is published.",
        "该版本尚未试算调级日。试算会在发布前列出谁将变动。",
    ),
    "customer": ("Customer", "客户"),
    "was": ("From", "原等级"),
    "becomes": ("To", "新等级"),
    "worth": ("Expected value", "预期价值"),
    "why": ("Why", "原因"),
    "lifecycle": ("Where customers stand", "客户处于哪个阶段"),
    "lifecycle_note": (
        "Counted in the customer's own usual gap between orders, drawn to the shop's ({gap} days) "
        "while there are few: up to one gap active (new after a first order, won back after a long "
        "absence), up to two cooling, up to four dormant, beyond lost. Customers of {now}.",
        "以客户自己的惯常下单间隔衡量（订单少时向全店的 {gap} 天靠拢）：一个间隔内为活跃（首单后为新客，"
        "久别归来为回流），两个间隔内为降温，四个间隔内为沉睡，再久为流失。{now} 的客户。",
    ),
    "state_new": ("new", "新客"),
    "state_active": ("active", "活跃"),
    "state_cooling": ("cooling", "降温"),
    "state_dormant": ("dormant", "沉睡"),
    "state_lost": ("lost", "流失"),
    "state_won_back": ("won back", "回流"),
    "risk": ("Risk of churn", "流失风险"),
    "playbook": ("What is to be done", "行动手册"),
    "playbook_note": (
        "Which of these hold for a customer follows from tier, stage and risk; the answer of the "
        "service names them by id.",
        "适用哪些动作由等级、阶段与风险决定；服务的回答给出动作编号。",
    ),
    "rivals": ("Other ways to make tiers", "其他分级方法"),
    "rivals_note": (
        "Each way learned its shares where ours did, and was judged on the {certifying} testing customers. "
        "Explained is the share of the differences in what customers brought that the tiers account "
        "for (eta-squared). A way that puts more into a tier than may be there is out of limits, "
        "whatever it explains.",
        "各方法在同一批客户上学习占比，并在 {certifying} 位检验客户上评判。“解释度”是等级能解释的实际价值差异"
        "（eta 平方）。某级人数超出上限的方法标为“超限”，无论解释度多高。",
    ),
    "rivals_none": (
        "There were too few testing customers who bought to compare other ways.",
        "有购买的检验客户太少，无法比较其他方法。",
    ),
    "method": ("Way", "方法"),
    "explained": ("Explained", "解释度"),
    "top_revenue": ("Top tier's value", "最高级价值占比"),
    "certified": ("Boundaries that hold", "成立的界线"),
    "limits": ("Limits", "上限"),
    "within": ("within", "未超"),
    "out_of": ("out by {points} points", "超 {points} 个百分点"),
    "shares": ("Shares, top to bottom", "占比（高到低）"),
    "n_of": ("{n} of {all}", "{n} / {all}"),
    "rival_learned": ("learned (in force)", "学习所得（采用）"),
    "rival_fixed_shares": ("fixed shares", "固定占比"),
    "rival_quartiles": ("equal groups", "等分"),
    "rival_natural_breaks": ("natural breaks (Jenks)", "自然断点（Jenks）"),
    "rival_k_means": ("k-means", "k-均值"),
    "rival_weighted_rfm": ("RFM scorecard, fixed shares", "加权 RFM 评分，固定占比"),
    "rival_past_spend": ("past spend, our shares", "历史消费，采用的占比"),
    "rival_note_ahead": (
        "Read it fairly: on these customers {names} within the limits explains more. One cohort's "
        "figure hangs on its few largest customers; our boundaries are chosen to move little from "
        "one cohort to the next and to hold when tested, which this column does not show.",
        "公平地说：在这批客户上，{names}在上限之内，解释度更高。单个批次的数字取决于少数最大的客户；"
        "采用的界线追求的是换一批客户时变动小、且经得起检验，这一列看不出来。",
    ),
    "rival_note_gain": (
        "Read it fairly: with a sensible score, fixed shares explain nearly as much. What is gained "
        "is the score itself, boundaries that hold, and tiers that stay.",
        "公平地说：有了好的评分，固定占比的解释度也相差不大。真正的收获在于评分本身、成立的界线和稳定的等级。",
    ),
    "models": ("How well customers are ranked", "排序有多准"),
    "models_note": (
        "On customers of {then}. nGini is 1 for a perfect order of customers by what they brought and 0 for "
        "a random one; the best tenth's share of value is beside it.",
        "{then} 的客户。nGini 为 1 表示按实际价值完美排序，0 表示随机；旁边是预测前十分之一客户的价值占比。",
    ),
    "model": ("Score", "评分"),
    "best_tenth": ("Best tenth holds", "前十分之一占"),
    "model_blend": ("learned", "学习所得"),
    "model_past_spend_rate": ("past spend", "历史消费"),
    "model_net_spend_365d": ("spend of the last year", "近一年消费"),
    "model_recency": ("recency", "最近购买"),
    "model_weighted_rfm": ("RFM scorecard", "加权 RFM 评分"),
    "model_bgnbd_gamma_gamma": ("BG/NBD with Gamma-Gamma", "BG/NBD 与 Gamma-Gamma"),
    "model_constant": ("the same for all", "一视同仁"),
    "notes": ("What to bear in mind", "请注意"),
    "note_season": (
        "The season ahead has not been seen before in this data. The order of customers holds, the "
        "level of the amounts may not.",
        "未来这一季在数据中尚未出现过。客户的排序可信，金额的水平未必。",
    ),
    "note_small": (
        "Only {n} customers could be looked back on: intervals are wide, and tiers may be fewer than "
        "were asked for.",
        "可回测的客户只有 {n} 位：区间较宽，等级数可能少于设定。",
    ),
    "note_horizon": (
        "No outcome over the full {days} days was known yet; the look back covers {known} days.",
        "尚无完整 {days} 天的结果；回测只覆盖 {known} 天。",
    ),
    "note_baseline": (
        "No learned model ranked better than {model}, so that is what is used.",
        "没有模型的排序优于“{model}”，因此采用它。",
    ),
    "note_without": (
        "{n} customers have too little data for a tier.",
        "{n} 位客户数据太少，未分级。",
    ),
    "note_always": (
        "An expected value is an average over customers like this one, not a promise about one of them. "
        "Tiers say what customers are worth, not what they deserve.",
        "预期价值是同类客户的平均，不是对某一位的承诺。等级说的是价值，不是客户应得的待遇。",
    ),
    "reason_value": ("expected value", "预期价值"),
    "small_columns": (
        "Numbers in small print: share of the tier.",
        "小字为占该等级的比例。",
    ),
    "small_cells": ("Numbers in small print: share of the row.", "小字为占该行的比例。"),
}
LANGS = ("en", "zh")
SMALL_COHORT = 1000


def say(key: str, lang: str, **values: object) -> str:
    """Return a sentence in a language, with its values."""
    return WORDS[key][LANGS.index(lang)].format(**values)


def name_of(kind: str, one: str, lang: str) -> str:
    """Return the name of a method, model, state or cause; its id where there is none."""
    key = f"{kind}_{one}"
    return say(key, lang) if key in WORDS else one
