"""The programs of bench/ import each other by their names, as scripts do."""

import sys
from pathlib import Path

BENCH = Path(__file__).parent.parent.parent / "bench"
sys.path.insert(0, str(BENCH))
