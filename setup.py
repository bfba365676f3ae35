"""Build the extensions: `_writer` of its .pyx and csrc/, the others of a .pyx alone.

All else is stated in pyproject.toml. Two switches are read from the environment:

AUDITRING_DEBUG=1                      no optimisation, symbols, assertions
AUDITRING_SANITIZE=address,undefined   sanitizers; their runtime must be preloaded
"""

import os
from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

FLAGS = "-std=c11 -D_GNU_SOURCE -pthread -fvisibility=hidden -fno-plt -Wall -Wextra"
# Without what only a debugger reads, which is four fifths of a module.
RELEASE = "-O3 -DNDEBUG -g0"
DEBUG = "-O0 -g3 -UNDEBUG"
DIRECTIVES = {
    "language_level": 3,
    "auto_pickle": False,
    "autotestdict": False,
    "embedsignature": True,
    # Else what a noexcept function raises is printed first, which ends the process when
    # it is SystemExit, and only then handed to sys.unraisablehook.
    "unraisable_tracebacks": False,
}
HEADERS = sorted(glob("csrc/*.h") + glob("src/auditring/*/*.h"))
BINDING = "src/auditring/ring/_writer.pyx"


def extension(path: str, *c_files: str) -> Extension:
    """Describe one extension, as the two switches want it."""
    debug = os.environ.get("AUDITRING_DEBUG", "0") not in ("", "0")
    sanitize = os.environ.get("AUDITRING_SANITIZE")
    mode = (DEBUG if debug else RELEASE).split()
    sanitizers = [f"-fsanitize={sanitize}"] if sanitize else []
    return Extension(
        path.removeprefix("src/").removesuffix(".pyx").replace("/", "."),
        sources=[path, *c_files],
        include_dirs=["csrc", "src/auditring"],
        depends=["setup.py", *HEADERS],
        extra_compile_args=[*FLAGS.split(), *mode, *sanitizers],
        extra_link_args=["-pthread", *sanitizers],
    )


EXTENSIONS = [
    extension(path, *(sorted(glob("csrc/*.c")) if path == BINDING else ()))
    for path in sorted(glob("src/auditring/*/_*.pyx"))
]

setup(
    ext_modules=cythonize(
        EXTENSIONS, build_dir="build/cython", compiler_directives=DIRECTIVES
    ),
    options={"build_ext": {"parallel": os.cpu_count()}},
)
