"""Training: from a unit to an MMEngine config, a run of it, and predictions. The only package that needs torch."""
