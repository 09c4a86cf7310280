"""What is said of an exception that nobody foresaw: one line, and the details in a file that it names."""

import os

from conformance.harmless import printable

_LONGEST = 300  #: characters of what it says; the file has it whole


def told(error: BaseException) -> str:
    """One line on an exception, which is kept with its traceback in a temporary file where that can be."""
    what = printable(" ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":"))
    return f"this was not foreseen, and says nothing about qmail: {what[:_LONGEST]} ({_kept(error)})"


def _kept(error: BaseException) -> str:
    """Where the details are. Whatever stands in the way of a file, the line is still said."""
    name = ""
    try:
        import tempfile  # neither is needed where nothing goes wrong
        import traceback

        descriptor, name = tempfile.mkstemp(".txt", "qmail-conformance-")
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(printable("".join(traceback.format_exception(error)), keep="\n"))
        return f"details: {printable(name)}"
    except Exception as trouble:
        if name:
            os.unlink(name)
        return f"the details could not be kept: {printable(' '.join(str(trouble).split()))}"
