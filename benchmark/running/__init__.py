"""Running units, step by step, and the record of what was run."""
