"""What can become of a row that is not accepted: a code, and the reason in two languages."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Outcome of a row; 0 is accepted. The name in lower case is what accounts and files show."""

    ACCEPTED = 0
    WRONG_FIELD_COUNT = 1
    NUL_CHARACTER = 2
    MISSING_CUSTOMER_ID = 3
    SUSPICIOUS_CUSTOMER_ID = 4
    MISSING_DATE = 5
    UNPARSEABLE_DATE = 6
    AMBIGUOUS_DATE = 7
    DATE_TOO_EARLY = 8
    FUTURE_DATE = 9
    MISSING_AMOUNT = 10
    NOT_A_NUMBER = 11
    AMBIGUOUS_NUMBER = 12
    NOT_FINITE = 13
    RATING_OUT_OF_RANGE = 14
    MISSING_KIND = 15
    DUPLICATE_CUSTOMER = 16

    @property
    def label(self) -> str:
        """The code as accounts and quarantine files show it."""
        return self.name.lower()


UNDATED = (Code.MISSING_DATE, Code.UNPARSEABLE_DATE, Code.AMBIGUOUS_DATE)
"""Codes of a row that cannot be placed on any day."""

REASONS: dict[Code, dict[str, str]] = {
    Code.WRONG_FIELD_COUNT: {
        "en": "the row has more or fewer fields than the header",
        "zh": "该行的字段数与表头不一致",
    },
    Code.NUL_CHARACTER: {
        "en": "the row holds a NUL character",
        "zh": "该行含有 NUL 字符",
    },
    Code.MISSING_CUSTOMER_ID: {
        "en": "no customer id",
        "zh": "缺少客户编号",
    },
    Code.SUSPICIOUS_CUSTOMER_ID: {
        "en": "the customer id looks damaged (a null word, scientific notation, a rounded or "
        "endless number, a control character) or does not match customer_id_pattern",
        "zh": "客户编号疑似损坏（空值词、科学计数法、被舍入或过长的数字、控制字符），"
        "或不符合 customer_id_pattern",
    },
    Code.MISSING_DATE: {"en": "no date", "zh": "缺少日期"},
    Code.UNPARSEABLE_DATE: {
        "en": "the date does not follow date_format or is no day of the calendar",
        "zh": "日期不符合 date_format，或不是有效的日历日期",
    },
    Code.AMBIGUOUS_DATE: {
        "en": "day and month cannot be told apart; declare date_format",
        "zh": "无法区分日与月；请声明 date_format",
    },
    Code.DATE_TOO_EARLY: {
        "en": "the date lies before data_starts_on",
        "zh": "日期早于 data_starts_on",
    },
    Code.FUTURE_DATE: {
        "en": "the date lies on or after data_complete_before",
        "zh": "日期不早于 data_complete_before",
    },
    Code.MISSING_AMOUNT: {
        "en": "no amount, or no quantity or unit price to make it from",
        "zh": "缺少金额，或缺少用于计算金额的数量或单价",
    },
    Code.NOT_A_NUMBER: {"en": "not a number", "zh": "不是数字"},
    Code.AMBIGUOUS_NUMBER: {
        "en": "a comma or point that may group thousands or part decimals; declare thousands",
        "zh": "无法区分千位分隔符与小数点；请声明 thousands",
    },
    Code.NOT_FINITE: {
        "en": "NaN, infinite or too large a number",
        "zh": "数值为 NaN、无穷大或过大",
    },
    Code.RATING_OUT_OF_RANGE: {
        "en": "stars outside 1 to 5",
        "zh": "评分不在 1 到 5 之间",
    },
    Code.MISSING_KIND: {"en": "no kind of interaction", "zh": "缺少互动类型"},
    Code.DUPLICATE_CUSTOMER: {
        "en": "the customer was given in an earlier row",
        "zh": "该客户已在前面的行中出现",
    },
}
"""Why a row was set aside, in English and Chinese."""
