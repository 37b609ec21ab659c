"""Exports laion/clap-htsat-unfused to ONNX. What is done is in laion_clap.py; the arguments are in earmark_export.py.

    python export.py --out DIR
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

import laion_clap

# The revision is the one that MTEB pins in its clap_models.py.
laion_clap.export(__file__, "laion/clap-htsat-unfused", "8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a", {})
