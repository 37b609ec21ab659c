"""How long a model's audio graph takes for ten seconds of sound, against that of the bundled `mini`.

    python models/export/measure.py FOLDER... [--int8] [--rounds 15]

A folder holds audio.onnx and manifest.toml; weights may be random (`export.py --random-weights`), since time does not
depend on them. Ten seconds are as many windows as the manifest makes of them, in one run; features are not counted. One
thread, whose processor time is taken, so that waiting for other work does not count; since caches and clock are shared
all the same, models and `mini` take turns. Printed are medians, and the quartiles of the ratio.
`--int8` quantises each graph first (`onnxruntime.quantization.quantize_dynamic`, its defaults).
"""

import argparse
import math
import statistics
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime

SECONDS = 10.0
MINI = Path(__file__).resolve().parent.parent / "mini"


def windows(manifest: dict) -> int:
    """How many windows ten seconds give: WindowSpec in crates/audio."""
    length, hop = manifest["window"]["length_samples"], manifest["window"]["hop_samples"]
    samples = int(SECONDS * manifest["front_end"]["sample_rate"])
    return 1 + math.ceil(max(samples - length, 0) / hop)


def frames(manifest: dict) -> int:
    """How many frames (or samples) a window has that holds no more than ten seconds."""
    front_end, features = manifest["front_end"], manifest.get("features", {})
    if "frames" in features:
        return features["frames"]
    length = features.get("fusion", {}).get("chunk_samples", manifest["window"]["length_samples"])
    if front_end["type"] == "waveform":
        return length
    hop = front_end["hop_length"]
    if front_end.get("center"):
        return length // hop + (front_end.get("center_over") != "stream")  # of a whole song, a window has one frame a hop
    return 1 + (length - front_end.get("win_length", front_end.get("frame_length"))) // hop


def feed(manifest: dict, session: onnxruntime.InferenceSession) -> dict[str, np.ndarray]:
    """Random input of the right shape for ten seconds."""
    count = frames(manifest)
    sizes = {"batch": windows(manifest), "frames": count, "samples": count, "mels": manifest["front_end"].get("n_mels"),
             "channels": 4 if "fusion" in manifest.get("features", {}) else 1}
    audio = manifest["audio"]
    shape = [sizes[axis] if isinstance(axis, str) else axis for axis in audio["input_shape"]]
    inputs = {audio["input"]: np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
    if "longer_input" in audio and audio["longer_input"] in {node.name for node in session.get_inputs()}:
        inputs[audio["longer_input"]] = np.ones((sizes["batch"], 1), bool)
    return inputs


class Timed:
    """A graph that can be run for its time."""

    def __init__(self, folder: Path, graph: Path | None = None):
        manifest = tomllib.loads((folder / "manifest.toml").read_text(encoding="utf-8"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.name = manifest["id"] + (" int8" if graph else "")
        self.path = graph or folder / manifest["audio"]["graph"]
        self.session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        self.inputs, self.windows = feed(manifest, self.session), windows(manifest)
        self.times: list[float] = []
        self.run()  # the first run allocates

    def run(self) -> float:
        """Processor seconds: one thread computes, and waiting for a busy processor does not count."""
        start = time.thread_time()
        self.session.run(None, self.inputs)
        return time.thread_time() - start

    def measure(self) -> None:
        self.times.append(self.run())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--int8", action="store_true", help="measure quantised graphs instead")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    mini = Timed(MINI)
    print("| model | windows | ms | mini, ms | times mini | quartiles | graph, MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for folder in args.folders:
        with tempfile.TemporaryDirectory() as scratch:
            model = Timed(folder, quantised(folder, Path(scratch)) if args.int8 else None)
            mini.times.clear()
            for _ in range(args.rounds):
                mini.measure()
                model.measure()
            ratios = [a / b for a, b in zip(model.times, mini.times, strict=True)]
            low, _, high = statistics.quantiles(ratios, n=4)
            one, other = statistics.median(model.times) * 1e3, statistics.median(mini.times) * 1e3
            print(f"| {model.name} | {model.windows} | {one:.0f} | {other:.1f} | {statistics.median(ratios):.1f} "
                  f"| {low:.1f} - {high:.1f} | {model.path.stat().st_size / 1e6:.0f} |", flush=True)


def quantised(folder: Path, scratch: Path) -> Path:
    """The folder's audio graph with int8 weights, made by ONNX Runtime's dynamic quantisation."""
    from onnxruntime.quantization import quantize_dynamic

    graph = scratch / "audio.int8.onnx"
    quantize_dynamic(str(folder / "audio.onnx"), str(graph))
    return graph


if __name__ == "__main__":
    main()
