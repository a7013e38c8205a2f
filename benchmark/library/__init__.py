"""The public functions, one file each, offered by name in `benchmark`. Nothing here prints or parses options."""
