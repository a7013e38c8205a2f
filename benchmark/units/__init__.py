"""Units of work as values: what determines a result, the preset, the files and the states on disk."""
