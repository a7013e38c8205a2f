"""What commands report as markdown: comparisons and the tables of sweeps."""
