"""Firms as customers: many contacts, one account; margins; firmographics; interactions."""

from __future__ import annotations

import pytest

from features.tables import read_tables

ORDERS = "contact,date,amount\nann,2024-01-05,10\nbob,2024-02-05,20\ncid,2024-03-05,5\n"
CONTACTS = """
[[files.lookup]]
path = "contacts.txt"
key = "{key}"
file_key = "contact"
columns = {{ firm = "firm" }}
"""
FIRMS = """
[[files]]
table = "customers"
paths = ["people.txt"]
attributes = ["industry", "size"]
columns = {{ customer_id = "person", account = "firm" }}
{lookup}"""
VISITS = """
[[files]]
table = "interactions"
paths = ["{kind}.txt"]
constants = {{ kind = "{kind}" }}
columns = {{ customer_id = "contact", occurred_at = "date", account = "firm" }}
{lookup}"""
COLUMNS = {
    "customer_id": "contact",
    "account": "firm",
    "occurred_at": "date",
    "amount": "amount",
}


@pytest.fixture
def wholesale(shop):
    shop.put("orders.csv", ORDERS)
    shop.put("contacts.txt", "contact,firm\nann,ACME\nbob,ACME\ncid,\n")
    return shop


def test_the_contacts_of_a_firm_are_one_customer(wholesale) -> None:
    wholesale.describe(columns=COLUMNS, tail=CONTACTS.format(key="contact"))
    account = wholesale.ingest()
    assert wholesale.column("customer_id") == ["ACME", "ACME", "cid"]
    assert account.files[0].notes == {"rolled_up_to_account": 2}


def test_further_contacts_of_a_firm_are_dropped_by_rule(wholesale) -> None:
    wholesale.put(
        "people.txt", "person,industry,size\nann,tools,50\nbob,tools,50\ncid,toys,1\ncid,toys,2\n"
    )
    tail = CONTACTS.format(key="contact") + FIRMS.format(lookup=CONTACTS.format(key="person"))
    wholesale.describe(columns=COLUMNS, tail=tail)
    _, people = wholesale.ingest().files
    assert (people.records, people.accepted, people.quarantined, people.dropped) == (
        4, 2, {}, {"contact_of_known_account": 2},
    )  # fmt: skip
    assert [(row["customer_id"], row["attributes"]) for row in wholesale.rows("customers")] == [
        ("ACME", [("industry", "tools"), ("size", "50")]),
        ("cid", [("industry", "toys"), ("size", "1")]),
    ]


def test_an_account_that_looks_damaged_is_set_aside(wholesale) -> None:
    wholesale.put("contacts.txt", "contact,firm\nann,NA\nbob,ACME\ncid,\n")
    wholesale.describe(columns=COLUMNS, tail=CONTACTS.format(key="contact"))
    wholesale.ingest()
    assert wholesale.aside() == [("orders.csv", 2, "suspicious_customer_id", "firm")]


def test_every_kind_of_interaction_is_rolled_up(wholesale) -> None:
    kinds = ("visit", "cart", "complaint", "referral", "message_open")
    tail = CONTACTS.format(key="contact")
    for kind in kinds:
        wholesale.put(f"{kind}.txt", "contact,date\nbob,2024-02-01\n")
        tail += VISITS.format(kind=kind, lookup=CONTACTS.format(key="contact"))
    wholesale.describe(columns=COLUMNS, tail=tail)
    wholesale.ingest()
    told = {(row["customer_id"], row["kind"]) for row in wholesale.rows("interactions")}
    assert told == {("ACME", kind) for kind in kinds}


def test_one_file_may_tell_of_two_kinds_of_interaction(wholesale) -> None:
    wholesale.put("visit.txt", "contact,date\nbob,2024-02-01\n")
    tail = CONTACTS.format(key="contact") + VISITS.format(
        kind="visit", lookup=CONTACTS.format(key="contact")
    )
    again = VISITS.format(kind="visit", lookup=CONTACTS.format(key="contact"))
    wholesale.describe(columns=COLUMNS, tail=tail + again.replace('= "visit" }', '= "cart" }'))
    wholesale.ingest()
    assert sorted(wholesale.column("kind", "interactions")) == ["cart", "visit"]
    assert wholesale.ingest().n_reused == 3


@pytest.mark.parametrize("value", ["amount", "margin"])
def test_both_amount_and_margin_are_kept_and_the_source_says_which_counts(shop, value) -> None:
    columns = {
        "customer_id": "who", "occurred_at": "date", "amount": "amount", "quantity": "n",
        "unit_cost": "cost",
    }  # fmt: skip
    shop.describe(head=f'value = "{value}"', columns=columns)
    shop.put("orders.csv", "who,date,amount,n,cost\n1,2024-01-05,10,2,3\n1,2024-01-06,-5,-1,3\n")
    shop.ingest()
    assert (shop.column("amount"), shop.column("margin")) == ([10, -5], [4, -2])
    assert read_tables(shop.tables).value_column == value


def test_rates_count_from_their_day_on(shop) -> None:
    columns = {"customer_id": "who", "occurred_at": "date", "amount": "amount", "currency": "money"}
    head = (
        '[[rates]]\ncurrency = "USD"\nrate = 7.0\nstarting = 2024-01-01\n'
        '[[rates]]\ncurrency = "USD"\nrate = 7.5\nstarting = 2024-02-01\n'
    )
    shop.describe(columns=columns, head=head)
    shop.put(
        "orders.csv",
        "who,date,amount,money\n1,2023-12-31,1,usd\n1,2024-01-01,1,USD\n1,2024-01-31,1,USD\n"
        "1,2024-02-01,1,USD\n1,2024-02-01,1,CNY\n1,2024-02-01,1,\n1,2024-02-01,1,XX\n",
    )
    shop.ingest()
    assert shop.column("amount") == [7.0, 7.0, 7.5, 1.0]
    assert [(row, code) for _, row, code, _ in shop.aside()] == [
        (2, "currency_without_rate"),
        (7, "currency_without_rate"),
        (8, "currency_without_rate"),
    ]


def test_erased_people_are_in_no_file_that_is_left(shop) -> None:
    shop.put("gone.txt", "secret-7\n")
    rows = [
        "secret-7,2024-01-05,1",
        "secret-7,never,1",
        "secret-7,2024-01-05,1,9",
        "1,2024-01-05,1",
    ]
    shop.put("orders.csv", "who,date,amount\n" + "".join(f"{row}\n" for row in rows))
    shop.ingest()
    assert shop.aside()  # they were kept while nobody had asked
    shop.describe(head='[left_out]\nerased = "gone.txt"')
    account = shop.ingest()
    assert (account.files[0].accepted, account.files[0].dropped) == (1, {"erased": 3})
    assert shop.aside() == []
    for path in shop.tables.rglob("*"):
        assert not path.is_file() or b"secret-7" not in path.read_bytes()


def test_an_alarm_rests_on_enough_files_and_rows(shop) -> None:
    def file(day: int, amount: float, n: int = 20) -> str:
        return "who,date,amount\n" + "".join(f"{i},2024-01-{day:02},{amount}\n" for i in range(n))

    for day, amount, n in ((1, 10, 20), (2, 12, 20), (3, 1000, 19), (4, 1100, 20), (5, 0.1, 20)):
        shop.put(f"orders-{day}.csv", file(day, amount, n))
    alarms = shop.ingest().alarms
    assert [(a.file, a.median_amount, a.expected_median) for a in alarms] == [
        ("orders-4.csv", 1100, 11),
        ("orders-5.csv", 0.1, 11),
    ]
