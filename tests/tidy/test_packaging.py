"""An installed Pigou has every file it reads: SQL, tables of facts, pictures and styles travel with the packages."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.tidy.tree import PACKAGES, ROOT, files, package_files


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for path in (*package_files(), Path("pyproject.toml"), Path("README.md"), Path("LICENSE")):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [
        *pip,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        tmp_path,
        source,
    ]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-2000:]

    [wheel] = tmp_path.glob("pigou-*.whl")
    inside = {Path(name) for name in zipfile.ZipFile(wheel).namelist()}
    packed = {path for path in inside if path.parts[0] in PACKAGES}
    assert packed == set(package_files())
    assert not {path.parts[0] for path in inside} - {*PACKAGES} - {wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"}


def test_the_image_is_built_from_every_package() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    admitted = (ROOT / ".dockerignore").read_text().splitlines()
    assert not [package for package in PACKAGES if f"\nCOPY {package} {package}\n" not in dockerfile]
    assert not [package for package in PACKAGES if f"!{package}" not in admitted]


def test_every_folder_with_code_is_known() -> None:
    known = {*PACKAGES, "tests", "examples", "bench"}
    assert not {path.parts[0] for path in files(".py")} - known
