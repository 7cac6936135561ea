"""What ``ganbench new`` writes: plugins that work as they are, under names to be replaced."""
