"""Exports laion/larger_clap_general to ONNX. What is done is in laion_clap.py; the arguments are in earmark_export.py.

    python export.py --out DIR
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

import laion_clap

# The revision is the one that MTEB pins in its clap_models.py.
laion_clap.export(__file__, "laion/larger_clap_general", "ada0c23a36c4e8582805bb38fec3905903f18b41", laion_clap.LARGER)
