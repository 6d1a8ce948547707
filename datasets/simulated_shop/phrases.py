"""The words of reviews: a phrase grammar in Chinese and English, with negation and mixed views."""

from __future__ import annotations

from collections.abc import Sequence

from datasets.simulated_shop.draws import Floats

LANGUAGES = ("zh", "en")
N_CHOICES = 12
"""Uniform numbers that one text uses up."""

Clauses = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]

ZH_CLAUSES: Clauses = {
    "quality": (
        ("质量很好", "做工比想象中精细", "用料一点也不差", "用了一周没有任何毛病", "质量没得挑",
         "手感不错，不像便宜货"),
        ("质量太差", "做工粗糙", "质量真不怎么样", "用了两天就坏了", "根本谈不上质量",
         "和描述的不一样，并不结实"),
    ),
    "delivery": (
        ("物流很快", "第二天就到了", "送货一点没耽误", "快递小哥态度不错", "发货没让我等"),
        ("物流太慢", "等了半个月才到", "发货一点也不快", "快递把箱子摔破了", "迟迟不发货"),
    ),
    "service": (
        ("客服很耐心", "售后没有推脱", "有问必答", "退换一点也不麻烦", "服务比别家好"),
        ("客服爱理不理", "售后一直推脱", "问了三次都没人回", "退货麻烦得很", "服务谈不上好"),
    ),
    "price": (
        ("价格实惠", "这个价不算贵", "很划算", "性价比没话说", "活动价真的值"),
        ("价格偏贵", "不值这个价", "刚买完就降价", "一点也不划算", "优惠都是假的"),
    ),
    "packaging": (
        ("包装很用心", "包装没有破损", "盒子很漂亮，送人也不丢面子"),
        ("包装太随便", "包装破了", "连个缓冲垫都没有"),
    ),
    "fit": (
        ("大小刚好", "颜色没有色差", "和图片一样", "穿着一点也不勒"),
        ("尺寸不准", "色差很大", "和图片完全不是一回事", "大小不合适"),
    ),
}  # fmt: skip
ZH_OPENINGS = {
    "positive": (
        "",
        "",
        "很满意，",
        "不后悔买它，",
        "回购了，",
        "说实话没想到这么好，",
        "家人都喜欢，",
    ),
    "mixed": ("", "", "总体还行，", "一般般，", "谈不上惊喜也谈不上失望，", "有好有坏，"),
    "negative": ("", "", "很失望，", "后悔了，", "别被好评骗了，", "说实话不推荐，", "真的生气，"),
}
ZH_CLOSINGS = {
    "positive": (
        "。",
        "！",
        "，下次还来。",
        "，推荐！",
        "，没什么可挑的。",
        "，五星不过分。",
        "👍",
    ),
    "mixed": ("。", "，再看看吧。", "，凑合用。", "，不算差但也不算好。", "……"),
    "negative": ("。", "！", "，不会再买了。", "，不推荐。", "，差评。", "，再也不来了！", "😡"),
}
ZH_JOINS = ("，", "，而且", "，", "；", "，另外")
ZH_BUTS = ("，但是", "，不过", "，可惜", "，就是", "，然而")

EN_CLAUSES: Clauses = {
    "quality": (
        ("the quality is great", "it is better made than I expected", "the material is not bad at all",
         "nothing has broken after a month", "I can't fault the quality",
         "it doesn't feel cheap"),
        ("the quality is poor", "it is badly made", "the material is not good at all",
         "it broke after two days", "I can't call this quality", "it doesn't last"),
    ),
    "delivery": (
        ("delivery was fast", "it arrived the next day", "there was no delay at all",
         "it came earlier than promised", "shipping was never a problem"),
        ("delivery was slow", "it took three weeks to arrive", "it did not come on time",
         "the parcel was crushed", "shipping was anything but fast"),
    ),
    "service": (
        ("customer service was helpful", "they answered within minutes",
         "returning it was no trouble", "support never let me down"),
        ("customer service was rude", "nobody answered my messages", "returning it was a nightmare",
         "support was no help at all"),
    ),
    "price": (
        ("the price is fair", "it is not expensive for what you get", "a real bargain",
         "worth every cent"),
        ("it is overpriced", "it is not worth the money", "the discount was fake",
         "I could have got it cheaper elsewhere"),
    ),
    "packaging": (
        ("it was carefully packed", "the box had no scratch", "the packaging looks lovely"),
        ("the packaging was torn", "it was not packed well", "the box looked like it had been kicked"),
    ),
    "fit": (
        ("it fits perfectly", "the colour is just as shown", "the size is not off at all"),
        ("it doesn't fit", "the colour is nothing like the picture", "the size runs far too small"),
    ),
}  # fmt: skip
EN_OPENINGS = {
    "positive": (
        "",
        "",
        "Very happy: ",
        "No regrets, ",
        "Love it, ",
        "Honestly, ",
        "Bought it again; ",
    ),
    "mixed": ("", "", "It's okay: ", "Mixed feelings, ", "Neither great nor terrible; ", "So-so: "),
    "negative": (
        "",
        "",
        "Disappointed: ",
        "Don't bother, ",
        "Honestly, ",
        "Not happy: ",
        "Avoid! ",
    ),
}
EN_CLOSINGS = {
    "positive": (
        ".",
        "!",
        ". Would buy again.",
        ". Highly recommended!",
        ". No complaints.",
        " 👍",
    ),
    "mixed": (".", ". We'll see.", ". Not bad, not good.", ". It will do.", "..."),
    "negative": (
        ".",
        "!",
        ". Never again.",
        ". Would not recommend.",
        ". I want my money back.",
        " 😡",
    ),
}
EN_JOINS = (", and ", ", ", "; also ", ", plus ")
EN_BUTS = (", but ", ", although ", ", however ", "; sadly ", ", yet ")

_GRAMMAR = {
    "zh": (ZH_CLAUSES, ZH_OPENINGS, ZH_CLOSINGS, ZH_JOINS, ZH_BUTS),
    "en": (EN_CLAUSES, EN_OPENINGS, EN_CLOSINGS, EN_JOINS, EN_BUTS),
}


def build_review_text(language: str, tone: str, uniform: Floats) -> str:
    """Write one review from `N_CHOICES` uniform numbers.

    A positive or negative text has one to three clauses of its own side; a mixed one sets one
    side against the other. Both sides use negated phrases, so words alone do not give the tone.

    Examples
    --------
    >>> import numpy as np
    >>> build_review_text("en", "mixed", np.full(N_CHOICES, 0.1))
    'The quality is great, but delivery was slow.'
    """
    clauses, openings, closings, joins, buts = _GRAMMAR[language]
    left = list(clauses)
    aspects = [left.pop(int(u * len(left))) for u in uniform[:3]]
    side = 1 if tone == "negative" else 0
    if tone == "mixed":
        first = int(uniform[3] < 0.5)
        body = _choose(clauses[aspects[0]][1 - first], uniform[4]) + _choose(buts, uniform[5])
        body += _choose(clauses[aspects[1]][first], uniform[6])
    else:
        n_clauses = 1 + int(uniform[3] * 3)
        parts = [
            _choose(clauses[aspect][side], u)
            for aspect, u in zip(aspects[:n_clauses], uniform[4:7], strict=False)
        ]
        body = parts[0]
        for part, u in zip(parts[1:], uniform[7:9], strict=False):
            body += _choose(joins, u) + part
    text = _choose(openings[tone], uniform[9]) + body + _choose(closings[tone], uniform[10])
    return text[0].upper() + text[1:]


def _choose(options: Sequence[str], uniform: float) -> str:
    """Return the option that a number in (0, 1) points to."""
    return options[int(uniform * len(options))]
