"""Builds the bundled model `musicnn` from the PyPI package of that name.

    python models/musicnn/recipe.py --out models/musicnn
    python models/musicnn/recipe.py --check      # rebuild elsewhere, compare with what is committed

The result is the same bytes on every run. README.md, the model card, says what was measured.
"""

import argparse
import ast
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "recipes"))  # what the recipes of bundled models share

from checkpoint import read_variables
from graph import audio_graph
from outcome import compare, write_manifest
from packages import read_packages

INDEX = "musicnn/MTT_musicnn/.index"
DATA = "musicnn/MTT_musicnn/.data-00000-of-00001"
LABELS = "musicnn/configuration.py"
LICENCE = "musicnn-0.1.0.dist-info/LICENSE.md"

SHA256 = {
    INDEX: "da2d7bb670b2b31e9bc441bb1bd75eca31b5b061f963cc1f9630c1aff3238f57",
    DATA: "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
    LABELS: "00fd595eb16bad3a605e10bb6eaf0152cb8125bed6e2c884a636f679ae100419",
    LICENCE: "60c4194f702ddd969f969577743546327b4e9db560c07ec286be5cec27f55fcd",
}
MODEL_FILES = ["audio.onnx", "classes.txt"]


def class_names(source: str) -> list[str]:
    """MTT_LABELS of the package's configuration.py, which is parsed and not run."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "MTT_LABELS":
            return ast.literal_eval(statement.value)
    raise SystemExit(f"{LABELS} has no MTT_LABELS")


def build(out: Path, packages: Path | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    files = read_packages(HERE / "sources.txt", SHA256, packages)
    names = class_names(files[LABELS].decode())
    graph = audio_graph(read_variables(files[INDEX], files[DATA]))
    (out / "audio.onnx").write_bytes(graph.SerializeToString(deterministic=True))
    (out / "classes.txt").write_text("".join(name + "\n" for name in names), encoding="utf-8")
    (out / "LICENSE").write_bytes(files[LICENCE])
    write_manifest(HERE / "manifest.toml", out, {name: out / name for name in MODEL_FILES})


def check(packages: Path | None) -> None:
    """Rebuilds into a scratch folder and names every committed file that differs."""
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), packages)
        compare([(Path(folder) / name, HERE / name) for name in [*MODEL_FILES, "LICENSE", "manifest.toml"]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--fixtures", type=Path, help="not used: tests/fixtures/musicnn comes from the original code")
    parser.add_argument("--packages", type=Path, help="a folder with the wheel; default: pip downloads it")
    parser.add_argument("--check", action="store_true", help="compare a rebuild with the committed files")
    args = parser.parse_args()
    if args.check:
        check(args.packages)
    else:
        build(args.out, args.packages)


if __name__ == "__main__":
    main()
