"""``python -m auditring``: the same as the command ``auditring``."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="auditring")
