"""What can be called, set or linked to is documented, and what is documented is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.main import command_line
from tests.tidy.tree import ROOT, files, package_files, text

_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_SETTING = re.compile(r"\bPIGOU_[A-Z][A-Z_]*[A-Z]\b")
_COMMAND = re.compile(r"^(?:#+ .*?)?`?pigou ([a-z][a-z-]+)", re.MULTILINE)


def documents() -> list[Path]:
    """The pages that a reader of the project is meant to read."""
    return [path for path in files(".md") if path.parts[0] == "docs" or len(path.parts) == 1]


def test_the_readme_shows_the_two_commands() -> None:
    readme = text(Path("README.md"))
    assert re.search(r"^make demo\b", readme, re.MULTILINE)
    assert re.search(r"^make test\b", readme, re.MULTILINE)


def test_every_target_of_the_makefile_is_documented() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", text(Path("Makefile")), re.MULTILINE)
    development = text(Path("docs/development.md"))
    assert len(targets) > 8
    assert not [target for target in targets if f"`make {target}`" not in development]


def test_links_lead_somewhere() -> None:
    broken = [f"{path}: {target}" for path in documents() for target in broken_links(path, text(path))]
    assert not broken


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {Path("README.md")}
    waiting = [Path("README.md")]
    while waiting:
        page = waiting.pop()
        for target in local_targets(page, text(page)):
            if target.suffix == ".md" and target not in reached and (ROOT / target).is_file():
                reached.add(target)
                waiting.append(target)
    assert not [str(path) for path in documents() if path not in reached]


def test_every_command_and_option_is_documented() -> None:
    page = text(Path("docs/cli.md"))
    missing = [f"pigou {name}: {word}" for name, opts in commands() for word in undocumented(name, opts, page)]
    assert not missing


def test_every_documented_command_exists() -> None:
    known = {name.split()[0] for name, _ in commands() if name}
    assert set(_COMMAND.findall(text(Path("docs/cli.md")))) <= known


def test_every_setting_is_documented() -> None:
    read = {name for path in package_files(".py") for name in _SETTING.findall(text(path))}
    read |= set(_SETTING.findall(text(Path("docker-compose.yml"))))
    told = {name for path in documents() for name in _SETTING.findall(text(path))}
    assert read
    assert not read - told


def test_every_documented_setting_is_read() -> None:
    told = {name for path in documents() for name in _SETTING.findall(text(path))}
    read = {name for path in files() if path.suffix != ".md" for name in _SETTING.findall(text(path))}
    assert not told - read


def test_every_fence_is_closed() -> None:
    torn = [f"{path}:{line}" for path in documents() for line in torn_fences(text(path))]
    assert not torn


def test_every_term_of_the_glossary_is_explained_once() -> None:
    terms = re.findall(r"^\| \*\*(.+?)\*\* ", text(Path("docs/glossary.md")), re.MULTILINE)
    assert len(terms) > 100
    assert not sorted({term for term in terms if terms.count(term) > 1})


def test_offenders_are_found() -> None:
    torn = "```sh\nls\n### Next\n```sql\nselect 1\n```"
    assert torn_fences(torn) == [4]
    assert torn_fences(torn + "\n```") == [4, 7]
    assert torn_fences("```sh\nls\n```\n\n```\nx\n```") == []
    page = "## pigou sql\n\n`--format` is how; `--formatted` is not it. See [there](gone.md) and [here](README.md#x)."
    assert undocumented("sql", ["--format"], page) == []
    assert undocumented("sql", ["--form"], page) == ["--form"]
    assert undocumented("dsn", [], page) == ["is not documented"]
    assert broken_links(Path("README.md"), page) == ["gone.md"]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command's name (with its group's) and its options as typed."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, list[str]]]:  # typer's and click's own classes
        if not getattr(command, "hidden", False):
            yield (
                name,
                [o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("--")],
            )
        for child, below in getattr(command, "commands", {}).items():
            yield from walk(below, f"{name} {child}".strip())

    return walk(command_line(), "")


def undocumented(name: str, options: list[str], page: str) -> list[str]:
    """What of a command the page does not mention."""
    if name and not re.search(rf"\bpigou {re.escape(name)}\b", page):
        return ["is not documented"]
    return [option for option in options if not re.search(rf"{re.escape(option)}(?![\w-])", page)]


def torn_fences(markdown: str) -> list[int]:
    """Lines at which a block of code begins within another one, or the last one that is never closed."""
    torn: list[int] = []
    begun: int | None = None
    for line, said in enumerate(markdown.splitlines(), 1):
        if not said.startswith("```"):
            continue
        if begun is None:
            begun = line
        elif said.strip() == "```":
            begun = None
        else:
            torn.append(line)
    return torn if begun is None else [*torn, begun]


def local_targets(page: Path, markdown: str) -> Iterator[Path]:
    """The files of the repository that a page links to, as paths from its root."""
    for match in _LINK.finditer(markdown):
        target = match["target"].split("#")[0]
        if target and "://" not in target and not target.startswith("mailto:"):
            yield Path(*_normalised((page.parent / target).parts))


def broken_links(page: Path, markdown: str) -> list[str]:
    """Links to files that are not there."""
    return [str(target) for target in local_targets(page, markdown) if not (ROOT / target).exists()]


def _normalised(parts: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept.pop()
        else:
            kept.append(part)
    return kept
