"""CompressAI's range coder, without the rest of CompressAI.

The package as a whole imports PyTorch Geometric for its point clouds, which takes longer than most
of the programs here run. Its two compiled modules need nothing of that.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType


def _compiled(name: str) -> ModuleType:
    """A module of the package, as if the package had imported it."""
    whole = f"compressai.{name}"
    if whole not in sys.modules:
        package = find_spec("compressai")
        found = package and PathFinder.find_spec(whole, package.submodule_search_locations)
        if found is None or found.loader is None:
            raise ImportError(f"{whole} is not installed")
        module = module_from_spec(found)
        found.loader.exec_module(module)
        # For whoever imports the package later: the compiled types can be registered only once.
        sys.modules[whole] = module
    return sys.modules[whole]


ans = _compiled("ans")
pmf_to_quantized_cdf = _compiled("_CXX").pmf_to_quantized_cdf
