"""Rules by which layer and use are inferred, read from files that people edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.errors import CommandError
from cli.uses import read_rules

HEAD = "ordinal,field,pattern,layer,use,action_class\n"


def test_csv_and_yaml_say_the_same(tmp_path: Path) -> None:
    table, listing = tmp_path / "rules.csv", tmp_path / "rules.yaml"
    table.write_text("\ufeff" + HEAD + '10,tool,"^git_(push|merge)$",action,act,write\n20,name,judge,action,verify,\n')
    listing.write_text(
        "- {ordinal: 10, field: tool, pattern: '^git_(push|merge)$', layer: action, use: act, action_class: write}\n"
        "- {ordinal: 20, field: name, pattern: judge, layer: action, use: verify}\n"
    )
    rules = read_rules(table)
    assert rules == read_rules(listing)
    assert rules[1] == {
        "ordinal": 20, "field": "name", "pattern": "judge", "layer": "action", "use": "verify", "action_class": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("r.csv", HEAD, "holds no rules"),
        ("r.csv", HEAD + "1,tool,,action,act,\n", "line or item 2: pattern is missing"),
        ("r.csv", HEAD + "x,tool,a,action,act,\n", "line or item 2: ordinal 'x' is no whole number"),
        ("r.csv", HEAD + "1,colour,a,action,act,\n", "field 'colour' is none of operation, tool"),
        ("r.csv", HEAD + "1,tool,(,action,act,\n", "is no regular expression"),
        ("r.csv", HEAD + "1,tool,a,action,act,\n1,tool,b,action,act,\n", "line or item 3: ordinal 1 stands in line 2 too"),
        ("r.yaml", "- [1, 2]\n", "is no list of rules"),
        ("r.yaml", "just text", "is no list of rules"),
        ("r.yaml", "a: [", "is no YAML"),
    ],
)
def test_a_wrong_rule_is_named_with_its_place(tmp_path: Path, name: str, content: str, why: str) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(CommandError, match=why) as refused:
        read_rules(file)
    assert refused.value.exit_code == 2
