"""What the export recipes of the models share.

A recipe (`models/NAME/export.py`) loads an original checkpoint, hands each graph to `Recipe.graph`, and ends with
`Recipe.finish`:

    recipe = Recipe(__file__, hub="laion/clap-htsat-fused")
    model = ... if recipe.random else ...from_pretrained(recipe.snapshot())
    recipe.graph("audio.onnx", module, {"input_features": example}, ["audio_embeds"])
    recipe.write("tokenizer.json", data)
    recipe.finish(logit_scale=27.4)

A recipe finds this file beside itself, where `earmark models export NAME --run` puts it, or here:

    sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

Every recipe takes the same arguments: `--out DIR`; `--checkpoint PATH` for a checkpoint on this machine; `--revision
REV` of the hub repository; `--random-weights` for the same architecture with random weights and no network, which
tests the recipe and measures speed, and makes a model that knows nothing.
"""

import argparse
import hashlib
import json
import math
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn

OPSET = 18
TOLERANCE = 1e-4  # ONNX Runtime may differ from torch by this much of the largest output (or of 1, if that is more)

KNOWN_COSINE = 0.9999  # what earmark must reach with the vectors in goldens.json; it reaches 1 - 1e-6
KNOWN_TEXTS = ["a dog barking", "Heavy rain!", "a church bell, far away; café"]

Tensors = dict[str, torch.Tensor]


class Recipe:
    """One export: the arguments, what has been written, and at the end the manifest.

    file: the recipe's `__file__`; manifest.toml and the files that travel with it lie beside it.
    hub: the repository of the checkpoint on the model hub, where it is on one.
    revision: of that repository, where one is pinned; `None` takes the newest, and the manifest records which it was.
    where: for people, where to download a checkpoint that is on no hub.
    options: further arguments of this recipe, name (`--source`) and help; read them from `recipe.args`.
    """

    def __init__(self, file: str, hub: str | None = None, revision: str | None = None, where: str = "",
                 options: dict[str, str] | None = None):
        parser = argparse.ArgumentParser()
        parser.add_argument("--out", type=Path, required=True, help="folder for the model; made if missing")
        parser.add_argument("--checkpoint", type=Path, help="the original checkpoint, if it is on this machine")
        help_revision = f"of the hub repository {hub}" if hub else argparse.SUPPRESS
        parser.add_argument("--revision", default=revision, help=help_revision)
        parser.add_argument("--random-weights", action="store_true", help="the architecture alone, for tests")
        for option, explanation in (options or {}).items():
            parser.add_argument(option, help=explanation)
        self.args = args = parser.parse_args()
        self.here = Path(file).resolve().parent
        self.out: Path = args.out
        self.random: bool = args.random_weights
        self.checkpoint: Path | None = args.checkpoint
        self.hub, self.revision, self.where = hub, args.revision, where
        self.origin = "random weights" if self.random else None  # what the manifest says the weights are
        self.out.mkdir(parents=True, exist_ok=True)
        # A model is complete once it has a manifest, so there must be none until the last check has passed.
        (self.out / "manifest.toml").unlink(missing_ok=True)
        torch.manual_seed(0)
        torch.set_grad_enabled(False)

    def snapshot(self, patterns: list[str] | None = None) -> Path:
        """The checkpoint's folder: `--checkpoint`, or a download of the hub repository (`patterns` limits which files)."""
        return self._local() if self.checkpoint else self.hub_files(patterns)

    def hub_files(self, patterns: list[str] | None = None) -> Path:
        """A download from the hub, also for what `--checkpoint` does not bring, such as a tokenizer."""
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(self.hub, revision=self._resolved(), allow_patterns=patterns))

    def download(self, name: str) -> Path:
        """The checkpoint's file: `--checkpoint`, or the file `name` of the hub repository."""
        if self.checkpoint:
            return self._local()
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(self.hub, name, revision=self._resolved()))

    def _resolved(self) -> str:
        """The commit that `--revision` (or the newest) is, so that the manifest can say which it was."""
        if not self.hub:
            where = self.where or "where the card says"
            raise SystemExit(f"download the checkpoint from {where} and pass --checkpoint PATH")
        if not self.origin:
            if not re.fullmatch("[0-9a-f]{40}", self.revision or ""):
                from huggingface_hub import HfApi

                self.revision = HfApi().model_info(self.hub, revision=self.revision).sha
            self.origin = self.revision
            print(f"{self.hub}: revision {self.revision}")
        return self.revision

    def _local(self) -> Path:
        if not self.checkpoint.exists():
            raise SystemExit(f"--checkpoint {self.checkpoint}: there is no such file or folder")
        file = self.checkpoint
        if file.is_dir():  # a folder as transformers saves one
            weights = sorted(p for p in file.iterdir() if p.suffix in {".safetensors", ".bin", ".pt", ".pth"})
            if not weights:
                raise SystemExit(f"--checkpoint {file}: the folder holds no weights")
            file = weights[0]
        self.origin = f"{file.name} sha256 {sha256(file)}"
        return self.checkpoint

    def graph(self, name: str, module: nn.Module, inputs: Tensors, outputs: list[str],
              dynamic: dict[str, dict[int, str]] | None = None, reference: nn.Module | None = None,
              also: list[Tensors] | None = None) -> Path:
        """Exports `module` to `name`, and refuses the result unless ONNX Runtime computes what torch computes.

        inputs: example tensors by name, in the order of `module.forward`; the first axis is the batch, of two or more.
        dynamic: further axes whose length may vary, by input: `{"input_ids": {1: "tokens"}}`.
        reference: what to compare with, where `module` is a rewriting of it for the exporter; else `module` itself.
        also: further inputs to compare on, of other lengths where an axis is dynamic. The first row alone always is.
        """
        path = self.out / name
        module = module.eval()
        axes = {key: {0: "batch", **(dynamic or {}).get(key, {})} for key in inputs}
        axes.update({key: {0: "batch"} for key in outputs})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(module, tuple(inputs.values()), str(path), input_names=list(inputs), output_names=outputs,
                              dynamic_axes=axes, opset_version=OPSET, do_constant_folding=True, dynamo=False)
        onnx.checker.check_model(str(path))
        first_row = {key: value[:1] for key, value in inputs.items()}
        compare(path, (reference or module).eval(), [inputs, first_row, *(also or [])], outputs)
        return path

    def write(self, name: str, data: bytes | str) -> Path:
        """Writes a file of the model."""
        path = self.out / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def goldens(self, sample_rate: int, audio: Callable[[np.ndarray], np.ndarray],
                text: Callable[[str], np.ndarray] | None = None) -> None:
        """Writes goldens.json, which the self-test holds earmark against: vectors that the original code makes.

        audio: from ten seconds of samples to the vector [dim], the original's front end included; text: the same for a
        text as it is, without a prompt. Both before or after normalisation, as it comes.
        """
        signals = test_signals(sample_rate)
        known = {"audio": [{"signal": name, **known_vector(audio(samples))} for name, samples in signals.items()]}
        if text:
            known["texts"] = [{"text": words, **known_vector(text(words))} for words in KNOWN_TEXTS]
        self.write("goldens.json", json.dumps(known, ensure_ascii=False) + "\n")

    def finish(self, logit_scale: float | None = None) -> None:
        """Copies the files that travel with the manifest and writes the manifest with every size and checksum filled in.

        logit_scale: what cosines are multiplied by before the softmax, from the checkpoint; `None` leaves it as it is.
        """
        if not self.origin:
            raise SystemExit("the recipe does not say where its weights are from (Recipe.snapshot, download or origin)")
        text = (self.here / "manifest.toml").read_text(encoding="utf-8")
        if (self.out / "goldens.json").exists() and "goldens.json" not in listed_files(text):
            # The manifest is that of public files, for which nobody publishes vectors.
            text += '\n[self_test]\ngoldens = "goldens.json"\n\n[[files]]\npath = "goldens.json"\n'
        files = {}
        for name in listed_files(text):
            if not (self.out / name).exists() and (self.here / name).exists():
                shutil.copyfile(self.here / name, self.out / name)
            if not (self.out / name).exists():
                raise SystemExit(f"the manifest lists {name}, which the recipe has not made")
            files[name] = ((self.out / name).stat().st_size, sha256(self.out / name))
        text = filled(text, files, logit_scale, self.origin)
        (self.out / "manifest.toml").write_text(text, encoding="utf-8", newline="\n")
        for name, (size, digest) in files.items():
            print(f"{name}: {size} bytes, sha256 {digest}")
        scale = "" if logit_scale is None else f", logit_scale {logit_scale:.6g}"
        print(f"{self.out / 'manifest.toml'}: from {self.origin}{scale}")


def compare(path: Path, module: nn.Module, cases: list[Tensors], outputs: list[str]) -> None:
    """Runs the graph on every case beside torch; stops the recipe where they differ by more than `TOLERANCE`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = {node.name for node in session.get_inputs()}
    worst, angle = 0.0, 0.0
    for case in cases:
        expected = module(*case.values())
        expected = expected if isinstance(expected, (tuple, list)) else [expected]
        # An input that changes nothing (a mask of a model without one) is not in the graph.
        given = session.run(outputs, {key: value.numpy() for key, value in case.items() if key in names})
        for output, torch_value, value in zip(outputs, expected, given, strict=True):
            wanted = torch_value.numpy()
            if wanted.shape != value.shape:
                raise SystemExit(f"{path.name}: {output} is {value.shape} in ONNX Runtime and {wanted.shape} in torch")
            if not np.isfinite(value).all():
                raise SystemExit(f"{path.name}: {output} has values that are not finite")
            worst = max(worst, float(np.abs(value - wanted).max()) / max(1.0, float(np.abs(wanted).max())))
            angle = max(angle, float((1 - cosines(value, wanted)).max()))
    print(f"{path.name}: ONNX Runtime and torch differ by {worst:.1e}, 1 - cosine {angle:.1e}, on {len(cases)} inputs")
    if worst > TOLERANCE:
        raise SystemExit(f"{path.name}: ONNX Runtime and torch differ by {worst:.1e}, more than {TOLERANCE}: not exported")


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of each row of `a` with that row of `b`, in float64; rows of more axes are flattened."""
    a = a.reshape(len(a), -1).astype(np.float64)
    b = b.reshape(len(b), -1).astype(np.float64)
    return (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-30)


def test_signals(sample_rate: int) -> dict[str, np.ndarray]:
    """Ten seconds each of the signals that golden files name, as crates/encoder/src/self_test/signals.rs has them."""
    count = int(10 * sample_rate)
    t = np.arange(count) / sample_rate
    sweep = 0.5 * np.sin(2 * np.pi * (100 * t + (0.4 * sample_rate - 100) * t * t / 20))
    state, states = 1, np.empty(count)
    for index in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64  # Knuth's MMIX
        states[index] = state >> 40
    noise = 0.25 * (states / 2**23 - 1)
    since = np.fmod(t, 0.5)
    clicks = 0.8 * np.exp(-since / 0.02) * np.sin(2 * np.pi * 1000 * since)
    signals = {"sweep": sweep, "noise": noise, "clicks": clicks}
    return {name: signal.astype(np.float32) for name, signal in signals.items()}


def windows(samples: np.ndarray, length: int) -> np.ndarray:
    """[windows, length]: one after the other, the last moved back to end with the sound (`tail = "shift"`)."""
    last = len(samples) - length
    starts = range(0, math.ceil(last / length) * length + 1, length)
    return np.stack([samples[min(start, last):][:length] for start in starts])


def known_vector(vector: np.ndarray) -> dict:
    """A vector as golden files hold it: scaled to unit length, seven decimals."""
    unit = vector.astype(np.float64) / np.linalg.norm(vector.astype(np.float64))
    return {"cosine": KNOWN_COSINE, "vector": [round(value, 7) for value in unit.tolist()]}


def randomise(module: nn.Module, spread: float = 0.02) -> nn.Module:
    """Moves weights that initialisation leaves at 0 or 1 (biases, norms, statistics): mistakes with them must show."""
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            parameter.data += spread * torch.randn_like(parameter)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.data += torch.randn_like(buffer)
        elif name.endswith("running_var"):
            buffer.data *= 0.5 + torch.rand_like(buffer)
    return module


def listed_files(manifest: str) -> list[str]:
    """The `path` of every `[[files]]` table."""
    return re.findall(r'^\[\[files\]\].*\n(?:(?!\[).*\n)*?path = "([^"]+)"', manifest, re.M)


def filled(manifest: str, files: dict[str, tuple[int, str]], logit_scale: float | None, origin: str | None) -> str:
    """The manifest with sizes and checksums, logit scale and origin of the weights filled in; the rest to the letter.

    A file that was to be found on the hub may now be another, so its `hub_path` goes, and with it `[hub]`.
    """
    head, *tables = re.split(r"^(?=\[)", manifest, flags=re.M)
    done = []
    for table in tables:
        name = table.splitlines()[0].split("]")[0].lstrip("[").strip()
        if name == "hub":
            continue
        if name == "files":
            table = re.sub(r"^(bytes|sha256|hub_path) = .*\n?", "", table, flags=re.M)
            size, digest = files[re.search(r'^path = "([^"]+)"', table, re.M)[1]]
            table = re.sub(r'^(path = "[^"]+".*)\n?', f'\\1\nbytes = {size}\nsha256 = "{digest}"\n', table, flags=re.M)
        elif name == "scores" and logit_scale is not None:
            line = f"logit_scale = {logit_scale:.6g}"
            without = re.sub(r"^logit_scale = .*\n", "", table, flags=re.M)
            table = without.replace("[scores]\n", f"[scores]\n{line}\n", 1)
        elif name == "export" and origin:
            table = re.sub(r'^(checkpoint = "[^"@]*?)( @ [^"]*)?"', f'\\1 @ {origin}"', table, flags=re.M)
        done.append(table)
    return head + "".join(done)


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plain_tokenizer(tokenizer) -> str:
    """tokenizer.json of a fast tokenizer of `transformers`, without padding and truncation: the caller decides these."""
    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    plain.no_padding()
    plain.no_truncation()
    return plain.to_str()


def byte_tokenizer(special: list[str], first: str = "", last: str = "") -> str:
    """tokenizer.json for random weights, where no vocabulary can be had: every byte is a token, numbered after `special`.

    first, last: the special tokens that every text is put between, where the model has them.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = dict.fromkeys(special + alphabet)  # `!` is both, in GPT-2's
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(vocabulary)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(special)
    if first and last:
        pairs = [(token, tokenizer.token_to_id(token)) for token in (first, last)]
        tokenizer.post_processor = processors.TemplateProcessing(f"{first} $A {last}", special_tokens=pairs)
    return tokenizer.to_str()
