"""An application is packed into a folder or an archive, or runs in a sub-interpreter.

Who may be there: PyInstaller, which looks for imports in bytecode; zipimport, which
can't load what the system has to load; an installer of another interpreter; a server
that runs each application in an interpreter of its own, before or after the main one
imported the package. What can't work says so in one sentence, and at the import.
"""

import importlib
import importlib.util
import re
import subprocess
import sys
import textwrap
import zipapp
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest
from packed_program import DEEDS

import auditring

PACKAGE = Path(auditring.__file__).parent
PROGRAM = Path(__file__).parent / "support" / "packed_program.py"
LIMIT_S = 300


def finish(
    *command: str | Path, cwd: Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=cwd, input=stdin, capture_output=True, timeout=LIMIT_S
    )


def last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the last line that a failing program wrote on standard error."""
    assert done.returncode == 1, done
    return done.stderr.decode().splitlines()[-1]


# PyInstaller


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the program, frozen into a folder."""
    if importlib.util.find_spec("PyInstaller") is None:
        pytest.skip("needs PyInstaller")
    directory = tmp_path_factory.mktemp("frozen")
    command = [sys.executable, "-m", "PyInstaller", "--onedir", "--log-level", "ERROR"]
    done = finish(*command, "--name", "app", PROGRAM, cwd=directory)
    assert done.returncode == 0, done.stderr.decode()
    return directory / "dist" / "app" / "app"


@pytest.mark.timeout(2 * LIMIT_S)
@pytest.mark.parametrize("deed", DEEDS)
def test_a_frozen_program_works(frozen: Path, deed: str, tmp_path: Path) -> None:
    done = finish(frozen, deed, tmp_path, cwd=tmp_path)

    assert done.stderr == b""
    assert done.stdout == b"all is well\n"


@pytest.mark.timeout(2 * LIMIT_S)
def test_the_command_line_works_frozen(frozen: Path, tmp_path: Path) -> None:
    def run(*arguments: str, stdin: bytes = b"") -> bytes:
        done = finish(frozen, "command", *arguments, cwd=tmp_path, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    run("write", "a.log", "--compress", "zstd", stdin=b"one\ntwo\n")

    assert run("tail", "a.log") == b"one\ntwo\n"
    (tmp_path / "policy.yaml").write_bytes(run("policy", "preset", "gce"))
    assert run("policy", "check", "policy.yaml").startswith(b"policy.yaml")


@pytest.mark.timeout(2 * LIMIT_S)
def test_a_frozen_demo_is_refused(frozen: Path, tmp_path: Path) -> None:
    done = finish(frozen, "command", "demo", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith(b"auditring: demo: it starts interpreters")


def imported_by_compiled_modules() -> Iterator[str]:
    """Yield what the sources of the compiled modules import when they run."""
    for path in PACKAGE.rglob("*.pyx"):
        source = path.read_text(encoding="utf-8")
        for name in re.findall(r"^ *from (\S+) import ", source, re.M):
            yield resolve_name(name, f"auditring.{path.parent.name}")
        yield from re.findall(r"^ *import ([\w.]+)", source, re.M)


def test_the_hook_names_what_compiled_modules_import() -> None:
    hook = importlib.import_module("auditring.pyinstaller.hook-auditring")

    imported = set(imported_by_compiled_modules())

    assert {"orjson", "auditring.errors"} <= imported
    assert imported <= set(hook.hiddenimports)


def test_the_hook_names_what_is_imported_by_a_computed_name() -> None:
    hook = importlib.import_module("auditring.pyinstaller.hook-auditring")

    families = ("config", "event", "handlers", "policy", "redact")
    doors = ("auditring", *(f"auditring.{family}" for family in families))
    names = {
        resolve_name(module, door)
        for door in doors
        for module in importlib.import_module(door)._LATER.values()
    }

    assert names <= set(hook.hiddenimports)
    by_name = re.compile(r'import_module\("(auditring[\w.]+)"\)')
    sources = {
        path.relative_to(PACKAGE).as_posix(): path.read_text()
        for path in PACKAGE.rglob("*.py")
    }
    found = {name for text in sources.values() for name in by_name.findall(text)}
    assert found <= set(hook.hiddenimports)
    # Whoever is new here has to tell the hook what is imported.
    assert {name for name, text in sources.items() if "import_module(" in text} == {
        "_native/door.py",
        "_native/loadable.py",
        "files/unpacking.py",
        "handlers/options.py",
    }
    assert {"bz2", "lzma"} <= set(hook.hiddenimports)


def test_the_hook_names_all_compiled_modules_and_data_files() -> None:
    hook = importlib.import_module("auditring.pyinstaller.hook-auditring")

    sources = {
        f"auditring.{path.parent.name}.{path.stem}" for path in PACKAGE.rglob("*.pyx")
    }

    assert sources <= set(hook.hiddenimports)
    folders = [PACKAGE / "cli" / "data", PACKAGE / "policy" / "presets"]
    files = {str(file) for folder in folders for file in folder.iterdir()}
    assert {source for source, _ in hook.datas} == files


# An archive


def copy_package(target: Path, *, with_compiled: bool) -> None:
    """Copy the package as a wheel has it."""
    for path in PACKAGE.rglob("*"):
        is_wanted = path.suffix in {".py", ".yaml"}
        if is_wanted or (with_compiled and path.suffix == ".so"):
            copy = target / "auditring" / path.relative_to(PACKAGE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())


def zip_application(tmp_path: Path, main: str) -> Path:
    """Make an archive of the package, compiled modules and all, and of a program."""
    source = tmp_path / "source"
    copy_package(source, with_compiled=True)
    (source / "__main__.py").write_text(textwrap.dedent(main))
    archive = tmp_path / "app.pyz"
    zipapp.create_archive(source, archive)
    return archive


def test_an_archive_is_refused_in_one_sentence(tmp_path: Path) -> None:
    archive = zip_application(tmp_path, "import auditring")

    done = finish(sys.executable, archive, cwd=tmp_path)

    assert last_line(done) == (
        f"ImportError: auditring can't be imported from the archive {archive}: its"
        " compiled modules have to be files, so unpack it or put it beside the archive"
    )


def test_an_archive_with_the_package_beside_it_works(tmp_path: Path) -> None:
    main = """
        import os, sys
        sys.path.insert(0, os.path.join(os.path.dirname(sys.argv[0]), "beside"))
        from auditring import LogWriter, Policy
        with LogWriter("a.log") as log:
            log.write(b"one")
        print(Policy.preset("gce"))
    """
    archive = zip_application(tmp_path, main)
    copy_package(tmp_path / "beside", with_compiled=True)

    done = finish(sys.executable, archive, cwd=tmp_path)

    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "a.log").read_bytes() == b"one\n"


def test_a_package_of_another_interpreter_is_refused(tmp_path: Path) -> None:
    copy_package(tmp_path, with_compiled=False)

    done = finish(sys.executable, "-c", "import auditring", cwd=tmp_path)

    told = last_line(done)
    assert told.startswith("ImportError: auditring has no compiled modules (*.cpython")
    assert told.endswith("install it with the interpreter that runs it")


# A sub-interpreter

IN_A_SUB_INTERPRETER = """\
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

INNER = '''
import sys
sys.path[:] = {path!r}
try:
    import {module}
except ImportError as error:
    open("told", "a").write(str(error) + "\\\\n")
else:
    open("told", "a").write("imported\\\\n")
'''

def ask(module):
    number = interpreters.create()
    failed = interpreters.run_string(
        number, INNER.format(path=sys.path, module=module)
    )
    assert failed is None, failed
    interpreters.destroy(number)

{before}
ask("auditring")
ask("auditring.handlers")
ask("auditring.cli")
import auditring
with auditring.LogWriter("a.log") as log:
    log.write(b"one")
ask("auditring")
print("ended")
"""


@pytest.mark.parametrize("before", ["", "import auditring.handlers"])
def test_a_sub_interpreter_is_refused_and_the_main_one_works(
    before: str, tmp_path: Path
) -> None:
    program = IN_A_SUB_INTERPRETER.replace("{before}", before)

    done = finish(sys.executable, "-c", program, cwd=tmp_path)

    assert done.stdout == b"ended\n", done.stderr.decode()
    told = set((tmp_path / "told").read_text().splitlines())
    assert told == {
        "auditring can't be used in a sub-interpreter: import it in the main"
        " interpreter of the process, or in a process of its own"
    }
    assert (tmp_path / "a.log").read_bytes() == b"one\n"
