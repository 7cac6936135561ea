"""The study files that ship with ganbench."""
