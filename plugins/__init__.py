"""Built-in plugins of ganbench."""
