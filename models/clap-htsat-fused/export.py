"""Exports laion/clap-htsat-fused to ONNX. What is done is in laion_clap.py; the arguments are in earmark_export.py.

    python export.py --out DIR
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

import laion_clap

# The revision is the one that MTEB pins in its clap_models.py.
laion_clap.export(__file__, "laion/clap-htsat-fused", "cca9e288ab447cee67d9ada1f85ddb46500f1401", laion_clap.FUSED)
