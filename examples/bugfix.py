"""The task every example works on: a small project whose test fails, and the tools to mend it.

The tools are real: they read and change files of a temporary folder and run its test in a process.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

INSTRUCTIONS = "You mend failing tests. Change the source, never the test. Run the test before and after."
TASK = "The test in test_invoice.py fails. Find out why and mend it."

SOURCE = '''def total(prices, discount):
    """The sum of the prices after a discount between 0 and 1."""
    subtotal = sum(prices)
    return subtotal + subtotal * discount
'''
TEST = """import unittest

import invoice


class TotalTest(unittest.TestCase):
    def test_discount_lowers_the_total(self):
        self.assertEqual(invoice.total([60, 40], discount=0.25), 75)


unittest.main()
"""

PATH = {"type": "string", "description": "Path within the project."}
TEXT = {"type": "string"}
# For SDKs that want schemas written out; frameworks read them off the functions of `Workspace`.
TOOL_SCHEMAS: dict[str, dict[str, dict[str, str]]] = {
    "read_file": {"path": PATH},
    "edit_file": {"path": PATH, "old": TEXT, "new": TEXT},
    "run_tests": {},
}


def json_schema(tool: str) -> dict[str, object]:
    """The JSON schema of a tool's arguments, all of which are required."""
    properties = TOOL_SCHEMAS[tool]
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


class Workspace:
    """The project folder, with the tools an agent may use on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_file(self, path: str) -> str:
        """Read a file of the project."""
        return self._inside(path).read_text(encoding="utf-8")

    def edit_file(self, path: str, old: str, new: str) -> str:
        """Replace a piece of text in a file of the project."""
        file = self._inside(path)
        text = file.read_text(encoding="utf-8")
        if text.count(old) != 1:
            return f"error: the text to replace occurs {text.count(old)} times in {path}"
        file.write_text(text.replace(old, new), encoding="utf-8")
        return f"edited {path}"

    def run_tests(self) -> str:
        """Run the project's tests and return what they print."""
        command = [sys.executable, "-B", "test_invoice.py"]
        run = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        # Where the folder is and how long the test took would make every run's prompts differ.
        report = re.sub(r" in [0-9.]+s", "", run.stderr.replace(f"{self._folder}/", ""))
        return f"exit code {run.returncode}\n{report}"

    def tools(self) -> list[Callable[..., str]]:
        """The tools, for frameworks that take functions."""
        return [self.read_file, self.edit_file, self.run_tests]

    def call(self, tool: str, arguments: dict[str, str]) -> str:
        """Call a tool by name; an unknown name is told to the model, as any tool's error is."""
        functions = {function.__name__: function for function in self.tools()}
        return functions[tool](**arguments) if tool in functions else f"error: there is no tool {tool}"

    def _inside(self, path: str) -> Path:
        file = (self._folder / path).resolve()
        if not file.is_relative_to(self._folder):
            raise ValueError(f"{path} is outside the project")
        return file


@contextmanager
def open_workspace() -> Generator[Workspace]:
    """A fresh copy of the failing project; raises RuntimeError if its test still fails at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "invoice.py").write_text(SOURCE, encoding="utf-8")
        (folder / "test_invoice.py").write_text(TEST, encoding="utf-8")
        workspace = Workspace(folder)
        yield workspace
        if not workspace.run_tests().startswith("exit code 0"):
            raise RuntimeError("the agent ended and the test still fails")
