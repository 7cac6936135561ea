"""Study files: YAML with line marks, resolved and validated."""
