"""The words and the look of the data report."""

from __future__ import annotations

WORDS = {
    "en": {
        "title": "Data report: {source}",
        "records": "records",
        "accepted": "accepted",
        "quarantined": "quarantined",
        "dropped": "dropped",
        "notes": "counted",
        "unmatched": "unmatched",
        "span": "from, and complete before",
        "money": "currency · value",
        "zone": "time zone",
        "files": "Every record, file by file",
        "why": "What was set aside, left out or counted, and why",
        "examples": "Examples of rows that were set aside",
        "time": "Order lines over time (a bar a {bucket})",
        "columns": "Columns of the validated tables",
        "sample": "Summary of a sample",
        "summary": "Open the summary of at most 5,000 rows (made with Evidently)",
        "no_summary": "Not made yet: python -m monitoring data-report --source SOURCE",
        "file": "file",
        "files_with_it": "files",
        "table": "table",
        "days": "days",
        "holds": "adds up",
        "same_as": "skipped: the same as {file}",
        "outcome": "outcome",
        "name": "name",
        "meaning": "meaning",
        "rows": "rows",
        "row": "row",
        "column": "column",
        "cell": "cell",
        "kind": "type",
        "lowest": "lowest",
        "highest": "highest",
        "nulls": "nulls",
        "share": "null share",
        "distinct": "distinct (about)",
        "lines": "Order lines",
        "amounts": "Amounts, and returns below the line",
        "day": "day",
        "week": "week",
        "month": "month",
        "nothing": "Nothing.",
        "unit_slip": "Alarm: the median amount of {file} is {median_amount:,.2f}; that of the files "
        "before it is {expected_median:,.2f}. Is the unit the same?",
    },
    "zh": {
        "title": "数据报告：{source}",
        "records": "记录",
        "accepted": "接受",
        "quarantined": "隔离",
        "dropped": "剔除",
        "notes": "计数",
        "unmatched": "未匹配",
        "span": "起始日与数据截止日",
        "money": "货币 · 价值",
        "zone": "时区",
        "files": "逐个文件的每一条记录",
        "why": "隔离、剔除与计数及其原因",
        "examples": "被隔离的行示例",
        "time": "订单行随时间的变化（每{bucket}一柱）",
        "columns": "校验后各表的列",
        "sample": "样本摘要",
        "summary": "打开至多 5,000 行的摘要（由 Evidently 生成）",
        "no_summary": "尚未生成：python -m monitoring data-report --source SOURCE",
        "file": "文件",
        "files_with_it": "文件数",
        "table": "表",
        "days": "日期",
        "holds": "相符",
        "same_as": "跳过：与 {file} 相同",
        "outcome": "结果",
        "name": "名称",
        "meaning": "含义",
        "rows": "行数",
        "row": "行",
        "column": "列",
        "cell": "单元格",
        "kind": "类型",
        "lowest": "最小",
        "highest": "最大",
        "nulls": "空值",
        "share": "空值占比",
        "distinct": "不同值（约）",
        "lines": "订单行",
        "amounts": "金额（横线以下为退货）",
        "day": "日",
        "week": "周",
        "month": "月",
        "nothing": "无。",
        "unit_slip": "警报：{file} 的金额中位数为 {median_amount:,.2f}，此前的文件为 "
        "{expected_median:,.2f}。单位是否一致？",
    },
}

STYLE = """
:root { color-scheme: light dark; --line: #8884; --up: #2f6f9f; --down: #c0563b; }
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .8rem; }
dl div { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .8rem; }
dt { font-size: .8rem; opacity: .7; } dd { margin: 0; font-size: 1.05rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; display: block; overflow-x: auto; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: break-word; max-width: 34rem;
  min-width: 3.2rem; }
th { font-weight: 600; } .n { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; margin: .5rem 0; font-size: 11px; fill: currentColor; }
svg text.n { text-anchor: end; } svg line { stroke: currentColor; stroke-opacity: .5; }
rect.up { fill: var(--up); } rect.down { fill: var(--down); }
.alarm { border-left: 4px solid var(--down); padding: .5rem 1rem; background: #c0563b22; }
"""
