"""API keys: shown once, kept as digests, two living for a change, dead within seconds of revoking."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import ConfigError, InputError
from serving.__main__ import main
from serving.keys import REREAD_SECONDS, KeyRing, add_key, read_keys, revoke_key

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "api_keys.json"


def test_a_key_has_256_random_bits_and_only_its_digest_is_kept(table: Path):
    key = add_key(table, "shop", "application", NOW)
    assert len(key) == len("tw_") + 43
    assert key not in table.read_text()
    (row,) = read_keys(table)
    assert (row.name, row.role, row.created) == ("shop", "application", "2026-01-02T03:04:05+00:00")
    assert row.sha256 == hashlib.sha256(key.encode()).hexdigest()
    assert row.id == row.sha256[:8]
    assert table.stat().st_mode & 0o777 == 0o600


def test_two_keys_of_a_client_live_at_once_and_no_third(table: Path):
    first, second = (add_key(table, "shop", "application", NOW) for _ in range(2))
    ring = KeyRing(table)
    assert ring.find(first.encode(), 0) is not None
    assert ring.find(second.encode(), 0) is not None
    with pytest.raises(InputError, match="shop has 2 keys of role application; expected fewer"):
        add_key(table, "shop", "application", NOW)
    add_key(table, "shop", "ops", NOW)


def test_a_revoked_key_is_dead_within_a_second_and_the_other_lives(table: Path):
    first, second = (add_key(table, "shop", "application", NOW) for _ in range(2))
    ring = KeyRing(table)
    assert ring.find(first.encode(), 100.0) is not None
    revoke_key(table, read_keys(table)[0].id)
    assert ring.find(first.encode(), 100.0 + REREAD_SECONDS) is None
    assert ring.find(second.encode(), 100.0 + REREAD_SECONDS) is not None


def test_a_new_key_lives_within_a_second(table: Path):
    ring = KeyRing(table)
    assert ring.find(b"tw_x", 5.0) is None
    key = add_key(table, "shop", "ops", NOW).encode()
    found = ring.find(key, 5.0 + REREAD_SECONDS)
    assert found is not None
    assert found.role == "ops"


@pytest.mark.parametrize("content", ["", "[]", '{"keys": [{"id": "a"}]}', "\x00"])
def test_a_damaged_table_lets_nobody_in_and_is_named(table: Path, content: str):
    key = add_key(table, "shop", "ops", NOW)
    table.write_text(content)
    assert KeyRing(table).find(key.encode(), 0) is None
    with pytest.raises(ConfigError, match=r"api_keys\.json cannot be read .*; expected a table"):
        read_keys(table)


def test_a_table_that_others_can_read_lets_nobody_in(table: Path):
    key = add_key(table, "shop", "ops", NOW)
    os.chmod(table, 0o644)
    assert KeyRing(table).find(key.encode(), 0) is None
    with pytest.raises(ConfigError, match="has mode 0644; expected 0600"):
        read_keys(table)


def test_an_unknown_role_or_id_gets_a_hint(table: Path):
    with pytest.raises(InputError, match='no role aplication; did you mean "application"'):
        add_key(table, "shop", "aplication", NOW)
    add_key(table, "shop", "ops", NOW)
    with pytest.raises(InputError, match="no key 00000000; "):
        revoke_key(table, "00000000")


def test_the_command_adds_lists_and_revokes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state = ["--state", str(tmp_path)]
    assert main(["keys", "add", *state, "--role", "ops", "--name", "prometheus"]) == 0
    key = capsys.readouterr().out.strip()
    assert main(["keys", "list", *state]) == 0
    key_id, role, _, name = capsys.readouterr().out.split()
    assert (role, name) == ("ops", "prometheus")
    assert key_id == hashlib.sha256(key.encode()).hexdigest()[:8]
    assert main(["keys", "revoke", key_id, *state]) == 0
    assert f"revoked {key_id}" in capsys.readouterr().out
    assert read_keys(tmp_path / "keys" / "api_keys.json") == []
