"""Numbers, money and dates as people of a language write them."""

from __future__ import annotations

from datetime import date

SYMBOLS = {"GBP": "£", "USD": "$", "EUR": "€", "CNY": "¥", "BRL": "R$", "JPY": "JP¥"}
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
NARROW = "\u202f"
STEPS = {
    "en": ((1e9, "bn"), (1e6, "m"), (1e4, "k")),
    "zh": ((1e8, "亿"), (1e4, "万")),
}


class Numerals:
    r"""How one report writes its numbers.

    Parameters
    ----------
    lang : str
        ``en`` or ``zh``.
    currency : str
        ISO 4217.

    Examples
    --------
    >>> Numerals("en", "GBP").money(1234.5), Numerals("zh", "SEK").money(-8.25)
    ('£1,234', 'SEK\u202f-8.25')
    """

    def __init__(self, lang: str, currency: str) -> None:
        self.lang = lang
        self.currency = currency
        self._sign = SYMBOLS.get(currency, currency + NARROW)

    def money(self, amount: float | None) -> str:
        """Return an amount: whole from 100 on, with cents below."""
        if amount is None:
            return "–"
        digits = 0 if abs(amount) >= 100 else 2
        text = f"{abs(amount):,.{digits}f}"
        if self._sign.endswith(NARROW):
            return f"{self._sign}{'-' if amount < 0 else ''}{text}"
        return f"{'-' if amount < 0 else ''}{self._sign}{text}"

    def brief_money(self, amount: float) -> str:
        """Return an amount for an axis: £20k, ¥2万.

        >>> Numerals("en", "GBP").brief_money(2e4), Numerals("zh", "CNY").brief_money(2e4)
        ('£20k', '¥2万')
        """
        for size, unit in STEPS[self.lang]:
            if abs(amount) >= size:
                divisor = 1e3 if unit == "k" else size
                return f"{self._sign}{amount / divisor:,.3g}{unit}"
        return f"{self._sign}{amount:,.0f}" if amount >= 100 else f"{self._sign}{amount:,.3g}"

    def count(self, number: float) -> str:
        """Return a whole number."""
        return f"{number:,.0f}"

    def brief_count(self, number: float) -> str:
        """Return a whole number for an axis."""
        for size, unit in STEPS[self.lang]:
            if number >= size:
                return f"{number / (1e3 if unit == 'k' else size):,.3g}{unit}"
        return f"{number:,.0f}"

    def percent(self, share: float | None, digits: int = 0) -> str:
        """Return a share in per cent; a share above 0 is never written as 0.

        >>> Numerals("en", "GBP").percent(0.001), Numerals("en", "GBP").percent(0.125, 1)
        ('<1%', '12.5%')
        """
        if share is None:
            return "–"
        least = 0.5 * 10 ** -(digits + 2)
        if 0 < share < least * 2 and round(share * 100, digits) == 0:
            return f"<{10**-digits:g}%"
        return f"{share:.{digits}%}"

    def plain(self, number: float | None, digits: int = 2) -> str:
        """Return a number with a fixed count of decimals."""
        return "–" if number is None else f"{number:,.{digits}f}"

    def probability(self, p: float) -> str:
        """Return a p-value: never as 0.

        >>> Numerals("en", "GBP").probability(3e-9), Numerals("en", "GBP").probability(0.0213)
        ('< 0.0001', '0.021')
        """
        if p < 1e-4:
            return "< 0.0001"
        return f"{p:.2g}"

    def day(self, iso: str) -> str:
        """Return a date: 13 June 2011, 2011年6月13日."""
        day = date.fromisoformat(iso)
        if self.lang == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
