"""The supervisor over small parts of our own: started, held, restarted, given up, stopped, and never outlived."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent

import psutil
import pytest

from cli import supervise
from cli.errors import CommandError
from cli.home import Home
from cli.supervise import Part, Stopped, Supervisor, module_part

STAYS = "import pathlib, sys, time\npathlib.Path(sys.argv[1]).write_text(' '.join(sys.argv[1:]))\ntime.sleep(600)"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STAYS
DIES = "import sys\nsys.exit('it cannot be done')"
ENDS = "import sys\nprint('done', *sys.argv[1:])"
COMPLAINS = "import time\nprint('INFO fine', flush=True)\nprint('2026 ERROR no room', flush=True)\ntime.sleep(600)"


class Stage:
    """Modules to run as parts, the home for their logs, and what the supervisor said."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.said: list[str] = []
        self.supervisor = Supervisor(home, self.said.append)

    def part(self, name: str, source: str, *arguments: str, once: bool = False) -> Part:
        # As our own modules do: importing has no effect, running has.
        body = "if __name__ == '__main__':\n" + indent(source, "    ")
        (self.home.path / "modules" / f"{name}.py").write_text(body)
        return module_part(name, name, arguments, once=once)

    def file(self, name: str) -> Path:
        return self.home.path / name

    def until(self, condition: Callable[[], bool], within_s: float = 20.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {within_s} s; said {self.said}"
            self.supervisor.step()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    (tmp_path / "modules").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    home = Home(tmp_path)
    home.make()
    stage = Stage(home)
    yield stage
    stage.supervisor.stop(last="")


def test_a_part_gets_its_arguments_and_keeps_them_off_the_command_line(stage: Stage) -> None:
    stage.supervisor.start(stage.part("stays", STAYS, str(stage.file("mark")), "postgresql://u:secret@h/d"))
    stage.until(stage.file("mark").exists)
    stage.until(lambda: "secret" in stage.file("mark").read_text())
    assert "secret" not in " ".join(psutil.Process(stage.supervisor.pids["stays"]).cmdline())


def test_a_held_part_waits_for_its_release_also_when_it_was_started_again(stage: Stage) -> None:
    stage.supervisor.start(stage.part("stays", STAYS, str(stage.file("mark"))), held=True)
    first = stage.supervisor.pids["stays"]
    os.kill(first, signal.SIGKILL)
    stage.until(lambda: stage.supervisor.pids.get("stays", first) != first)
    for _ in range(10):
        stage.supervisor.step()
    assert not stage.file("mark").exists()
    stage.supervisor.release("stays")
    stage.until(stage.file("mark").exists)


def test_a_part_that_dies_is_started_again(stage: Stage) -> None:
    stage.supervisor.start(stage.part("stays", STAYS, str(stage.file("mark"))))
    stage.until(stage.file("mark").exists)
    first = stage.supervisor.pids["stays"]
    stage.file("mark").unlink()
    os.kill(first, signal.SIGKILL)
    stage.until(stage.file("mark").exists)
    assert stage.supervisor.pids["stays"] != first
    assert stage.said == ["stays died (SIGKILL) and is started again"]


def test_a_part_that_keeps_dying_is_given_up_with_its_last_words(stage: Stage) -> None:
    stage.supervisor.start(stage.part("dies", DIES))
    with pytest.raises(CommandError, match=r"dies died 5 times within a minute: it cannot be done; see .*dies\.log"):
        stage.until(lambda: False)
    assert len(stage.said) == supervise.DEATHS_MAX - 1


def test_a_part_that_runs_once_is_waited_for(stage: Stage) -> None:
    stage.supervisor.start(stage.part("ends", ENDS, "well", once=True))
    stage.supervisor.wait_for(["ends"], 20)
    assert stage.file("logs/ends.log").read_text() == "done well\n"
    for _ in range(3):
        stage.supervisor.step()
    assert "ends" not in stage.supervisor.pids
    assert stage.said == []


def test_a_part_that_runs_once_and_fails_says_why(stage: Stage) -> None:
    stage.supervisor.start(stage.part("dies", DIES, once=True))
    with pytest.raises(CommandError, match=r"^it cannot be done; see"):
        stage.supervisor.wait_for(["dies"], 20)


def test_a_part_that_never_answers_is_named(stage: Stage) -> None:
    part = stage.part("stays", STAYS, str(stage.file("mark")))
    stage.supervisor.start(Part(part.name, part.spawn, answers=lambda: False, arguments=part.arguments))
    with pytest.raises(CommandError, match="stays does not answer after 0 s"):
        stage.supervisor.wait_for(["stays"], 0.3)


def test_errors_in_a_log_are_shown_and_the_rest_is_not(stage: Stage) -> None:
    stage.supervisor.start(stage.part("complains", COMPLAINS))
    stage.until(lambda: bool(stage.said))
    assert stage.said == ["complains: 2026 ERROR no room"]


def test_stopping_ends_every_part_and_kills_what_does_not_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "GRACE_S", 1.0)
    stage.supervisor.start(stage.part("stays", STAYS, str(stage.file("one"))))
    stage.supervisor.start(stage.part("stubborn", STUBBORN, str(stage.file("two"))))
    stage.until(lambda: stage.file("one").exists() and stage.file("two").exists())
    pids = stage.supervisor.pids
    stage.supervisor.stop(last="stubborn")
    assert not [pid for pid in pids.values() if psutil.pid_exists(pid)]
    assert stage.said == ["stubborn did not stop within 1 s and is killed"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_watch(stage: Stage, number: signal.Signals) -> None:
    earlier = signal.getsignal(number)
    with stage.supervisor.signals():
        os.kill(os.getpid(), number)
        with pytest.raises(Stopped):
            stage.supervisor.step()
    assert signal.getsignal(number) == earlier


def test_no_part_outlives_a_supervisor_that_was_killed(stage: Stage) -> None:
    stage.part("stays", STAYS)
    source = (
        "import sys, time; from pathlib import Path; from cli.home import Home; from cli.supervise import *\n"
        "supervisor = Supervisor(Home(Path(sys.argv[1])), print)\n"
        "supervisor.start(module_part('stays', 'stays', [sys.argv[1] + '/mark']))\n"
        "supervisor.start(module_part('waits', 'stays', []), held=True)\n"
        "print(*supervisor.pids.values(), flush=True)\n"
        "while True: supervisor.step()\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    environment = os.environ | {"PYTHONPATH": f"{root}:{os.environ['PYTHONPATH']}"}
    with subprocess.Popen(
        [sys.executable, "-c", source, str(stage.home.path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout
        pids = [int(pid) for pid in process.stdout.readline().split()]
        stage.until(stage.file("mark").exists)
        process.kill()
    stage.until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert len(pids) == 2
