"""What was found in the published package."""


def findings() -> str:
    return "soon"
