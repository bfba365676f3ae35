"""Build `auditring._writer`: one extension of its .pyx and every file of csrc/.

All else is stated in pyproject.toml. Two switches are read from the environment:

AUDITRING_DEBUG=1                      no optimisation, symbols, assertions
AUDITRING_SANITIZE=address,undefined   sanitizers; their runtime must be preloaded
"""

import os
from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

FLAGS = "-std=c11 -D_GNU_SOURCE -pthread -fvisibility=hidden -Wall -Wextra -Wshadow"
RELEASE = "-O3 -DNDEBUG"
DEBUG = "-O0 -g3 -UNDEBUG"
DIRECTIVES = {
    "language_level": 3,
    "auto_pickle": False,
    "autotestdict": False,
    "embedsignature": True,
}


def writer() -> Extension:
    """Describe the one extension, as the two switches want it."""
    debug = os.environ.get("AUDITRING_DEBUG", "0") not in ("", "0")
    sanitize = os.environ.get("AUDITRING_SANITIZE")
    mode = (DEBUG if debug else RELEASE).split()
    sanitizers = [f"-fsanitize={sanitize}"] if sanitize else []
    return Extension(
        "auditring._writer",
        sources=["src/auditring/_writer.pyx", *sorted(glob("csrc/*.c"))],
        include_dirs=["csrc"],
        depends=["setup.py", *sorted(glob("csrc/*.h"))],
        extra_compile_args=[*FLAGS.split(), *mode, *sanitizers],
        extra_link_args=["-pthread", *sanitizers],
    )


setup(
    ext_modules=cythonize(
        [writer()], build_dir="build/cython", compiler_directives=DIRECTIVES
    )
)
