"""Layouts: how each dataset is distributed, one file per dataset, each with its spec as `LAYOUT`."""
