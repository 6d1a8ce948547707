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
    UNDECODABLE = 17
    MIXED_TIME_UNITS = 18
    CURRENCY_WITHOUT_RATE = 19
    MISSING_MARGIN = 20
    CONFLICTING_ORDER_ID = 21
    ORDER_BEFORE_SIGNUP = 22
    UNLINKED_RETURN = 23
    UNKNOWN_CUSTOMER = 24
    UNKNOWN_LABEL = 25

    @property
    def label(self) -> str:
        """The code as accounts and quarantine files show it."""
        return self.name.lower()


UNDATED = (
    Code.MISSING_DATE,
    Code.UNPARSEABLE_DATE,
    Code.AMBIGUOUS_DATE,
    Code.MIXED_TIME_UNITS,
)
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
    Code.UNDECODABLE: {
        "en": "the row holds bytes that are not in the declared encoding",
        "zh": "该行含有不属于所声明编码的字节",
    },
    Code.MIXED_TIME_UNITS: {
        "en": "seconds where milliseconds are declared, or milliseconds where seconds are",
        "zh": "声明为毫秒却是秒，或声明为秒却是毫秒",
    },
    Code.CURRENCY_WITHOUT_RATE: {
        "en": "another currency, or none named, and no rate for it under [[rates]]",
        "zh": "货币不同或未写明，且 [[rates]] 中没有其汇率",
    },
    Code.MISSING_MARGIN: {
        "en": 'no margin, while value = "margin"',
        "zh": 'value = "margin"，但缺少毛利',
    },
    Code.CONFLICTING_ORDER_ID: {
        "en": "two customers bear this order id",
        "zh": "同一订单号对应两位客户",
    },
    Code.ORDER_BEFORE_SIGNUP: {
        "en": "the order lies before the customer's signed_up_at",
        "zh": "订单早于客户的 signed_up_at",
    },
    Code.UNLINKED_RETURN: {
        "en": "a return without an earlier sale of that order or product",
        "zh": "退货之前没有该订单或该商品的销售",
    },
    Code.UNKNOWN_CUSTOMER: {
        "en": "the customer is not in the table customers",
        "zh": "customers 表中没有该客户",
    },
    Code.UNKNOWN_LABEL: {
        "en": "the label is neither under churned nor under stayed",
        "zh": "标签既不在 churned 中也不在 stayed 中",
    },
}
"""Why a row was set aside, in English and Chinese."""

NOTES: dict[str, dict[str, str]] = {
    "contact_of_known_account": {"en": "further contacts of an account", "zh": "同一账户的其他联系人"},
    "converted_currency": {"en": "amounts converted by a rate", "zh": "按汇率换算的金额"},
    "customer_id_with_outer_space": {
        "en": "customer ids with white space around them", "zh": "两端有空白的客户编号"},
    "exact_duplicates": {"en": "rows equal to an earlier one", "zh": "与前面的行完全相同的行"},
    "full_width_numbers": {"en": "full-width digits narrowed", "zh": "转为半角的全角数字"},
    "linked_returns": {"en": "returns with an earlier sale", "zh": "有先前销售的退货"},
    "local_time_shown_twice": {
        "en": "local times that the clocks show twice", "zh": "时钟出现两次的当地时间"},
    "local_time_skipped": {"en": "local times that the clocks skip", "zh": "被时钟跳过的当地时间"},
    "order_id_from_customer_and_day": {
        "en": "order ids made from customer and day", "zh": "由客户与日期生成的订单号"},
    "orders_before_signup": {"en": "orders before the sign-up, kept", "zh": "早于注册的订单（保留）"},
    "orphan_reviews": {"en": "reviews of an unknown order or customer", "zh": "找不到订单或客户的评价"},
    "rolled_up_to_account": {"en": "rows rolled up to an account", "zh": "归并到账户的行"},
    "unknown_customers": {
        "en": "rows of customers not in the table customers, kept", "zh": "customers 表之外的客户的行（保留）"},
    "unlinked_returns": {"en": "returns without an earlier sale, kept", "zh": "没有先前销售的退货（保留）"},
}  # fmt: skip
"""What is counted beside the outcomes, in English and Chinese."""
