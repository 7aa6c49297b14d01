"""Starts one of the programs here as a module: `python models/run.py split models.json ...`.

Python puts this file's folder on its path, so the packages beside it are found from anywhere.
"""

import os
import runpy
import sys

if __name__ == "__main__":
    # Before PyTorch is loaded: threads that spin while they wait make a busy machine crawl.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if len(sys.argv) < 2:
        sys.exit("usage: python models/run.py split | export | training.scratch | ... [arguments]")
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
