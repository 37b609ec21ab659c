"""Exports Microsoft's CLAP of 2023 to ONNX. What is done is in ms_clap.py; the arguments are in earmark_export.py.

    python export.py --out DIR
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

import ms_clap

ms_clap.export(__file__, "2023")
