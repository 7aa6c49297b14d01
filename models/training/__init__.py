"""Training of bundles: the shipped one's recipe, and from random weights (`scratch.py`)."""

import os

# Before PyTorch's threads exist. On cores that others use too, threads that spin while they wait
# for one another made a step ten times as slow as threads that sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
