"""`python -m conformance` is `qmail-conformance`. Any Python 3.6 or newer must be able to read this file."""

import sys

LEAST = (3, 11)

_WORLD = 3  #: EXIT_WORLD of conformance.errors, which cannot be imported yet


def main() -> int:
    """Run the command; the exit status. What fails before the command can speak is no verdict either."""
    if sys.version_info < LEAST:
        found, least = (".".join(map(str, version[:2])) for version in (sys.version_info, LEAST))
        hint = f"Make a virtual environment with a newer one: python{least} -m venv .venv"
        print(f"qmail-conformance: Python {least} or newer is needed, not {found}\n  {hint}", file=sys.stderr)
        return _WORLD
    try:
        from conformance import stopping

        stopping.watch()  # before what takes long to import
        from conformance.cli import main as command

        return command()
    except Exception as error:
        print(f"qmail-conformance: it cannot be run: {type(error).__name__}: {error}", file=sys.stderr)
        return _WORLD


if __name__ == "__main__":
    raise SystemExit(main())
