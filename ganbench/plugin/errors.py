"""The errors that are a user's to mend: shown as one message, without a traceback."""


class GanbenchError(Exception):
    """What was wrong, where, what was expected, what was close. Exit code 2."""
