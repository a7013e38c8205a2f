"""Training: from a unit to an MMEngine config, a run of it, and predictions. The only package that needs torch."""

import os

from benchmark.training.stand_ins import leave_out_unused

# Read when torch's threads start, so before torch is imported: threads that wait for work must not spin. On a busy
# machine spinning costs several times what the work itself does.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

leave_out_unused()
