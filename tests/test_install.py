"""pip installs the package from a clone, from an sdist and from a wheel.

The builds are unoptimised, because they are only to be built.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import auditring

ROOT = Path(__file__).parent.parent
LIMIT_S = 300.0
# What a clone doesn't have, though a checkout that was worked in does.
NOT_CLONED = shutil.ignore_patterns(
    ".git", ".venv", "build", "dist", "*.so", "*.egg-info", "__pycache__", ".*_cache"
)


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command outside of the checkout's influence; return what it prints."""
    inherited = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Environment:
    """A virtual environment of its own."""

    def __init__(self, directory: Path) -> None:
        venv.create(directory)
        self.directory = directory
        self.bin = directory / "bin"

    def pip_install(self, *arguments: str | Path, **environment: str) -> None:
        """Install something, with what it needs."""
        # The pip that we have, because to bring another one takes seconds.
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python"]
        run(*pip, "install", "--quiet", *arguments, cwd=self.directory, **environment)

    def assert_it_works(self) -> None:
        """Import the package and run its command."""
        program = "import auditring; print(auditring.__version__, auditring.__file__)"
        told = run(self.bin / "python", "-c", program, cwd=self.directory)
        version, file = told.split()
        assert version == auditring.__version__
        assert Path(file).is_relative_to(self.directory)

        told = run(self.bin / "auditring", "--version", cwd=self.directory)
        assert told == f"auditring, version {auditring.__version__}\n"

        program = "from auditring import LogWriter\nLogWriter('-').write(b'one')"
        assert run(self.bin / "python", "-c", program, cwd=self.directory) == "one\n"


@pytest.fixture(scope="module")
def _registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where the registry of packages can't be reached."""
    directory = tmp_path_factory.mktemp("download")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*pip, "--retries", "0", "--dest", directory, "click"],
        capture_output=True,
        timeout=LIMIT_S,
    )
    if done.returncode != 0:
        pytest.skip("needs a registry of packages")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the checkout as a clone has it."""
    directory = tmp_path_factory.mktemp("clone") / "auditring"
    shutil.copytree(ROOT, directory, ignore=NOT_CLONED)
    return directory


@pytest.fixture(scope="module")
def sdist(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an sdist of the clone."""
    directory = tmp_path_factory.mktemp("sdist")
    program = "import sys; from setuptools import build_meta as backend\n"
    program += "backend.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", program, directory, cwd=clone)
    (archive,) = directory.iterdir()
    return archive


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a wheel that was built of the sdist."""
    directory = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    run(
        *[*pip, "--no-build-isolation", "--wheel-dir", directory, sdist],
        cwd=directory,
        AUDITRING_DEBUG="1",
    )
    (archive,) = directory.iterdir()
    return archive


@pytest.mark.usefixtures("_registry")
def test_pip_installs_a_clone(clone: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    environment.pip_install(clone, AUDITRING_DEBUG="1")

    environment.assert_it_works()


@pytest.mark.usefixtures("_registry")
def test_pip_installs_a_wheel_of_an_sdist_without_a_compiler(
    wheel: Path, tmp_path: Path
) -> None:
    environment = Environment(tmp_path)

    environment.pip_install("--only-binary=:all:", wheel, PATH="/nowhere", CC="false")

    environment.assert_it_works()


def test_an_sdist_has_everything_that_a_build_and_the_tests_need(
    clone: Path, sdist: Path
) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    for pattern in ("csrc/*.[ch]", "src/auditring/**/*", "tests/**/*.[chp]*", "*.md"):
        for path in clone.glob(pattern):
            if path.is_file():
                assert str(path.relative_to(clone)) in names
    assert {"LICENSE", "Makefile", "pyproject.toml", "setup.py"} <= names
    assert not [name for name in names if re.search(r"\.(so|o|pyc)$", name)]
    assert "src/auditring/ring/_writer.c" not in names


def test_a_wheel_has_modules_types_and_data_and_no_sources_in_c(
    clone: Path, wheel: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    package = clone / "src"
    for pattern in ("**/*.py", "**/*.pyi", "**/py.typed", "**/data/*"):
        for path in package.glob(pattern):
            assert str(path.relative_to(package)) in names
    assert [name for name in names if re.search(r"/_writer\..*\.so$", name)]
    assert not [name for name in names if re.search(r"\.(c|h|pyx)$", name)]
    assert not [name for name in names if re.match(r"(csrc|tests|bench)/", name)]
