"""`python -m conformance` is `qmail-conformance`."""

import sys

from conformance.errors import EXIT_WORLD


def main() -> int:
    """Run the command; the exit status. What fails before the command can speak is no verdict either."""
    try:
        from conformance import stopping

        stopping.watch()  # before what takes long to import
        from conformance.cli import main as command

        return command()
    except Exception as error:
        print(f"qmail-conformance: it cannot be run: {type(error).__name__}: {error}", file=sys.stderr)
        return EXIT_WORLD


if __name__ == "__main__":
    raise SystemExit(main())
