"""The built-in plugins, one folder per method or augmentation; each folder's `__init__` holds its spec."""
