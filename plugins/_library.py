"""Libraries that one plugin needs, and that an extra of ganbench brings."""

from importlib.util import find_spec


def installed(library: str, extra: str) -> tuple[bool, str]:
    """Say whether a library can be imported, and if not, how it comes."""
    if find_spec(library) is not None:
        return True, ""
    return False, (
        f"it needs the package {library}, which is not installed: pip install 'ganbench[{extra}]'"
    )
