"""Speed of a CLAP in earmark, in ONNX Runtime alone, with librosa before it, and in transformers, in one run.

    pip install -r models/clap-htsat-unfused-fp32/requirements.txt librosa soundfile
    python benches/compare/clap.py EARMARK MODEL CLIPS [--checkpoint FOLDER]

EARMARK is the program; MODEL a folder with audio.onnx of CLAP's shape and a manifest; CLIPS a folder of WAV files of 44.1 kHz. Each
way runs as a process of its own on two threads, twice, and the second run counts: wall and processor time of the whole process, the
start included, and its peak memory.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

RATE, LENGTH = 48_000, 480_000


def sounds(clips: Path) -> list[Path]:
    return sorted(clips.glob("*.wav"))


def graph(model: Path, clips: Path) -> None:
    """The encoder alone: two sessions of one thread each, on random features."""
    import numpy as np
    import onnxruntime

    def session():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(str(model / "audio.onnx"), options, providers=["CPUExecutionProvider"])

    sessions = [session(), session()]
    features = np.random.default_rng(0).standard_normal((1, 1, 1001, 64)).astype("f4")
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        count = len(sounds(clips))
        run = lambda worker: [sessions[worker].run(None, {"input_features": features}) for _ in range(count // 2)]
        list(pool.map(run, range(2)))
    print(f"steady {time.perf_counter() - started:.3f}")


def extractor():
    from transformers import ClapFeatureExtractor

    return ClapFeatureExtractor(frequency_min=50, frequency_max=14_000, truncation="rand_trunc", padding="repeatpad")


def librosa_and_graph(model: Path, clips: Path) -> None:
    """As a script of one's own does it: librosa loads and resamples, transformers makes features, ONNX Runtime encodes."""
    import librosa
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(str(model / "audio.onnx"), options, providers=["CPUExecutionProvider"])
    front_end = extractor()
    for path in sounds(clips):
        samples, _ = librosa.load(path, sr=RATE, mono=True)
        features = front_end(samples, sampling_rate=RATE, return_tensors="np")["input_features"].astype("f4")
        session.run(None, {"input_features": features})


def transformers(checkpoint: Path, clips: Path) -> None:
    import librosa
    import torch
    from transformers import ClapModel

    torch.set_num_threads(2)
    model, front_end = ClapModel.from_pretrained(checkpoint).eval(), extractor()
    with torch.no_grad():
        for path in sounds(clips):
            samples, _ = librosa.load(path, sr=RATE, mono=True)
            model.get_audio_features(**front_end(samples, sampling_rate=RATE, return_tensors="pt"))


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Wall and processor seconds, and peak memory in MB, of the second of two runs."""
    for _ in range(2):
        started = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        if status:
            raise SystemExit(f"{command}: {process.stderr.read().decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("earmark", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="the same model as transformers saves it")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        return {"graph": graph, "librosa": librosa_and_graph}.get(args.only, transformers)(
            args.checkpoint if args.only == "transformers" else args.model, args.clips)
    count = len(sounds(args.clips))
    scratch = Path(tempfile.mkdtemp())
    first = scratch / "one"
    first.mkdir()
    shutil.copy(sounds(args.clips)[0], first)
    again = [sys.executable, __file__, str(args.earmark), str(args.model), str(args.clips)]
    model = ["--model", str(args.model.resolve())]

    def index(folder: Path, name: str) -> list[str]:
        return [str(args.earmark), "index", "--force", str(folder), "--db", str(scratch / name), *model]

    ways = {
        f"earmark index, {count} clips": index(args.clips, "all"),
        "earmark index, 1 clip": index(first, "one.earmark"),
        "earmark search, a text": [str(args.earmark), "search", "a dog", "--db", str(scratch / "all"), *model],
        f"ONNX Runtime alone, 2 x 1 thread, {count} windows": [*again, "--only", "graph"],
        f"librosa and ONNX Runtime, {count} clips": [*again, "--only", "librosa"],
    }
    if args.checkpoint:
        ways[f"transformers, {count} clips"] = [*again, "--checkpoint", str(args.checkpoint), "--only", "transformers"]
    print("| | wall, s | CPU, s | memory, MB |\n| --- | --- | --- | --- |")
    for name, command in ways.items():
        wall, cpu, memory = timed(command, {"OMP_NUM_THREADS": "2", "EARMARK_GRAPH_CACHE": str(scratch / "graphs")})
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} |", flush=True)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
