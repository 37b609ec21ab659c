"""Exports LAION's CLAP to the layout of the public ONNX files.

The checkpoint is a folder as the `transformers` package saves one, or a `.pt` file as LAION's own code does.

The audio graph takes raw dB mels (its batch norm is inside), the text graph takes `input_ids` alone. Both give the
projections before any normalisation. A fused model's audio graph also takes `is_longer`.
"""

import re
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoTokenizer, ClapAudioConfig, ClapConfig, ClapFeatureExtractor, ClapModel, ClapTextConfig

from earmark_export import Recipe, Tensors, byte_tokenizer, plain_tokenizer, randomise

SAMPLE_RATE = 48000
FRAMES, MELS = 1001, 64  # 10 s at 48 kHz with a hop of 480, centred
MAX_TOKENS = 77

# What differs from ClapAudioConfig's defaults, which are those of clap-htsat-unfused. A checkpoint brings its own.
FUSED = {"enable_fusion": True, "fusion_type": "aff_2d"}
LARGER = {"patch_embeds_hidden_size": 128, "hidden_size": 1024, "depths": [2, 2, 12, 2]}
RECIPES = {"clap-htsat-unfused-fp32": {}, "clap-htsat-fused": FUSED, "larger-clap-general": LARGER}

# From LAION's names of parameters to those of transformers, replaced in this order.
NAMES = {
    "audio_branch.": "audio_model.audio_encoder.",
    "text_branch.": "text_model.",
    "_projection.0.": "_projection.linear1.",
    "_projection.2.": "_projection.linear2.",
    ".bn0.": ".batch_norm.",
    ".norm1.": ".layernorm_before.",
    ".norm2.": ".layernorm_after.",
    ".attn.proj.": ".attention.output.dense.",
    ".attn.": ".attention.self.",
    ".mlp.fc1.": ".intermediate.dense.",
    ".mlp.fc2.": ".output.dense.",
}
# What LAION's checkpoints hold for training, for the front end, or as constants that transformers makes too.
UNUSED = re.compile(
    r"audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head)\."
    r"|audio_branch\.layers\.\d+\.blocks\.\d+\.attn_mask$"
    r"|(audio|text)_transform\."
    r"|text_branch\.embeddings\.(position_ids|token_type_ids)$"
)
OWN_CONSTANTS = {"text_model.embeddings.position_ids", "text_model.embeddings.token_type_ids"}
PATCHES = "audio_branch.patch_embed.proj.weight"


class Audio(nn.Module):
    """[batch, 1, frames, mels] in dB to [batch, dim], not normalised."""

    def __init__(self, model: ClapModel):
        super().__init__()
        self.model = model

    def forward(self, input_features: torch.Tensor) -> torch.Tensor:
        pooled = self.model.audio_model(input_features=input_features).pooler_output
        return self.model.audio_projection(pooled)


class FusedAudio(nn.Module):
    """[batch, 4, frames, mels] in dB and bool [batch, 1] to [batch, dim], not normalised."""

    def __init__(self, model: ClapModel):
        super().__init__()
        self.model = model

    def forward(self, input_features: torch.Tensor, is_longer: torch.Tensor) -> torch.Tensor:
        pooled = self.model.audio_model(input_features=input_features, is_longer=is_longer).pooler_output
        return self.model.audio_projection(pooled)


class FusingPatches(nn.Module):
    """The patch embedding of a fused model without indexing by `is_longer`, which a graph with a fixed number of nodes
    cannot do for an empty selection: every row is fused, and rows that are not longer keep what they had before.
    """

    def __init__(self, patches: nn.Module):
        super().__init__()
        self.patches = patches
        self.is_longer: torch.Tensor | None = None  # bool [batch, 1], set before each call

    def forward(self, hidden_states: torch.Tensor, _indices: torch.Tensor | None = None) -> torch.Tensor:
        whole = self.patches.proj(hidden_states[:, :1])
        batch, _, height, width = hidden_states.shape
        parts = self.patches.mel_conv2d(hidden_states[:, 1:].reshape(batch * 3, 1, height, width))
        channels, part_height, part_width = parts.shape[1:]
        # The three parts lie side by side in time, and zeros fill what they leave free.
        parts = parts.reshape(batch, 3, channels, part_height, part_width).permute(0, 2, 3, 1, 4).flatten(3)
        parts = nn.functional.pad(parts, (0, whole.shape[-1] - parts.shape[-1]))
        fused = self.patches.fusion_model(whole, parts)
        chosen = torch.where(self.is_longer[:, :, None, None], fused, whole)
        return self.patches.norm(chosen.flatten(2).transpose(1, 2))


class TraceableFusedAudio(nn.Module):
    """`FusedAudio` in a form that can be exported."""

    def __init__(self, model: ClapModel):
        super().__init__()
        self.model = model
        self.encoder = model.audio_model.audio_encoder
        self.fusing = FusingPatches(self.encoder.patch_embed)

    def forward(self, input_features: torch.Tensor, is_longer: torch.Tensor) -> torch.Tensor:
        self.fusing.is_longer = is_longer
        original, self.encoder.patch_embed = self.encoder.patch_embed, self.fusing
        try:
            pooled = self.model.audio_model(input_features=input_features, is_longer=is_longer).pooler_output
        finally:
            self.encoder.patch_embed = original
        return self.model.audio_projection(pooled)


class Text(nn.Module):
    """[batch, tokens] without padding to [batch, dim], not normalised."""

    def __init__(self, model: ClapModel):
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        mask = torch.ones_like(input_ids)
        pooled = self.model.text_model(input_ids=input_ids, attention_mask=mask).pooler_output
        return self.model.text_projection(pooled)


def bare_model(audio: dict, text: dict) -> ClapModel:
    """The architecture, freshly initialised. `audio` and `text` are changes of the default configurations."""
    audio_config, text_config = ClapAudioConfig(**audio).to_dict(), ClapTextConfig(**text).to_dict()
    return ClapModel(ClapConfig(audio_config=audio_config, text_config=text_config))


def random_model(changes: dict) -> ClapModel:
    """The architecture with random weights. `changes` are those of the audio configuration."""
    return randomise(bare_model(changes, {}))


def laion_model(path: Path, changes: dict) -> ClapModel:
    """transformers' model with the weights of LAION's checkpoint, if it is of the recipe's architecture."""
    state = laion_state(path)
    check_architecture(path, architecture(state), changes)
    check_front_end(path, state)
    # LAION trained with roberta-base's epsilon. transformers' default for CLAP is another, 1e-12.
    model = bare_model(changes, {"layer_norm_eps": 1e-5})
    weights, known = converted(state), model.state_dict()
    both = known.keys() & weights.keys()
    faults = {
        "missing": known.keys() - weights.keys() - OWN_CONSTANTS,
        "unexpected": weights.keys() - known.keys(),
        "of another shape": {key for key in both if known[key].shape != weights[key].shape},
    }
    if any(faults.values()):
        lines = [f"{len(keys)} {fault}: {', '.join(sorted(keys))}" for fault, keys in faults.items() if keys]
        raise SystemExit("\n".join([f"{path.name} does not fit (keys as transformers names them)", *lines]))
    model.load_state_dict(weights, strict=False)
    return model


def laion_state(path: Path) -> Tensors:
    """The state dict in LAION's file, or that the file is, without the prefix of distributed training."""
    # The file comes from strangers, and a pickle can run code. Besides tensors, only NumPy's float64 is let
    # in: the optimiser's learning rates, unused here, are of that type. NumPy 2 moved its constructor.
    scalar = np.float64(0).__reduce__()[0]
    names = ["numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"]
    allowed = [np.dtype, type(np.dtype(np.float64)), *((scalar, name) for name in names)]
    try:
        with torch.serialization.safe_globals(allowed):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of any type, depending on the bytes
        # torch wraps the reason in advice, some of which is to load the file unsafely.
        reason = first_sentence(error.__context__ or error)
        raise SystemExit(f"{path}: not a torch checkpoint that can be loaded safely ({reason})") from None
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    items = state.items() if isinstance(state, dict) else []
    state = {str(key).removeprefix("module."): value for key, value in items if torch.is_tensor(value)}
    if PATCHES not in state:
        raise SystemExit(f"{path}: not a checkpoint of LAION's CLAP with HTSAT (it has no {PATCHES})")
    return state


def first_sentence(error: BaseException) -> str:
    return re.split(r"\.?\s*\n|\. ", str(error))[0] or type(error).__name__


def architecture(state: Tensors) -> dict:
    """What LAION's state dict changes in ClapAudioConfig's defaults."""
    depths: dict[int, int] = {}
    for stage, block in re.findall(r"audio_branch\.layers\.(\d+)\.blocks\.(\d+)\.", "\n".join(state)):
        depths[int(stage)] = max(depths.get(int(stage), 0), int(block) + 1)
    width = state[PATCHES].shape[0]
    fused = any(".mel_conv2d." in key for key in state)
    last_width = width * 2 ** (len(depths) - 1)  # it doubles from stage to stage
    return {**(FUSED if fused else {}), "patch_embeds_hidden_size": width, "hidden_size": last_width,
            "depths": [depths[stage] for stage in sorted(depths)]}


def check_architecture(path: Path, found: dict, wanted: dict) -> None:
    """Stops the recipe if the checkpoint is of another architecture, and names the recipe that fits."""

    def traits(changes: dict) -> tuple:
        config = ClapAudioConfig(**changes)
        return config.enable_fusion, config.patch_embeds_hidden_size, config.hidden_size, config.depths

    if traits(found) == traits(wanted):
        return
    fused, first, last, depths = traits(found)
    fitting = [name for name, changes in RECIPES.items() if traits(changes) == traits(found)]
    what = f"{'fused' if fused else 'not fused'}, {first} to {last} wide, blocks {depths}"
    advice = f"use {fitting[0]}" if fitting else "no recipe fits"
    raise SystemExit(f"{path.name}: this checkpoint is {what}: {advice}")


def check_front_end(path: Path, state: Tensors) -> None:
    """Stops the recipe if the checkpoint holds mel filters of other settings than the manifests have.

    A fused model holds this bank without using it, but was trained with the same limits.
    """
    expected = torch.from_numpy(front_end(fused=False).mel_filters_slaney).float()
    held = state.get("audio_branch.logmel_extractor.melW", expected).float()
    if held.shape != expected.shape or not torch.allclose(held, expected, rtol=0.01, atol=1e-6):
        raise SystemExit(f"{path.name}: its mel filters are not for 48 kHz, 50 to 14000 Hz: no recipe fits")


def converted(state: Tensors) -> Tensors:
    """LAION's state dict with transformers' names, query, key and value apart, without what is not used."""
    weights = {}
    for key, value in state.items():
        if UNUSED.match(key):
            continue
        for theirs, ours in NAMES.items():
            key = key.replace(theirs, ours)
        if ".qkv." in key:
            for part, rows in zip(("query", "key", "value"), value.chunk(3), strict=True):
                weights[key.replace(".qkv.", f".{part}.")] = rows
        else:
            weights[key] = value
    return weights


def original_tokenizer(recipe: Recipe, checkpoint: Path):
    """A folder brings its tokenizer. LAION's file needs roberta-base's, which is in the hub repository."""
    folder = recipe.args.tokenizer or (checkpoint if checkpoint.is_dir() else None)
    if folder and not Path(folder).is_dir():
        raise SystemExit(f"--tokenizer {folder}: there is no such folder")
    try:
        return AutoTokenizer.from_pretrained(folder or recipe.hub_files(["*.json", "*.txt"]))
    except (OSError, ValueError) as error:
        source = folder or f"{recipe.hub} on the hub"
        raise SystemExit(f"no tokenizer from {source} ({first_sentence(error)}): "
                         "pass --tokenizer DIR with that of roberta-base") from None


def front_end(fused: bool) -> ClapFeatureExtractor:
    """That of all published checkpoints."""
    truncation = "fusion" if fused else "rand_trunc"
    limits = {"frequency_min": 50, "frequency_max": 14000}
    return ClapFeatureExtractor(**limits, truncation=truncation, padding="repeatpad")


def embedding(output) -> np.ndarray:
    """The one row of what `get_*_features` gives: a tensor up to transformers 4, an object that holds it from 5 on."""
    return getattr(output, "pooler_output", output)[0].numpy()


def export(file: str, hub: str, revision: str, changes: dict) -> None:
    """A whole recipe. `changes` are the architecture's, `{}`, `FUSED` or `LARGER`: what `--random-weights`
    makes, and what a file of LAION's must have. A folder brings its own.
    """
    recipe = Recipe(file, hub, revision, options={
        "--tokenizer": "folder with the tokenizer, for a checkpoint that has none where there is no network"})
    folder = None
    if recipe.random:
        model, tokenizer = random_model(changes), byte_tokenizer(["<s>", "<pad>", "</s>", "<unk>"], "<s>", "</s>")
    else:
        checkpoint = recipe.snapshot(["*.json", "*.txt", "*.safetensors", "*.bin"])
        folder = checkpoint if checkpoint.is_dir() else None
        model = ClapModel.from_pretrained(folder) if folder else laion_model(checkpoint, changes)
        tokenizer = plain_tokenizer(original_tokenizer(recipe, checkpoint))
    model = model.eval()
    fused = model.config.audio_config.enable_fusion

    features = 20 * torch.randn(3, 4 if fused else 1, FRAMES, MELS) - 40  # about the range of dB mels
    if fused:
        longer = torch.tensor([[True], [False], [True]])
        recipe.graph("audio.onnx", TraceableFusedAudio(model), {"input_features": features, "is_longer": longer},
                     ["audio_embeds"], reference=FusedAudio(model),
                     also=[{"input_features": features[:2], "is_longer": torch.zeros(2, 1, dtype=torch.bool)}])
    else:
        recipe.graph("audio.onnx", Audio(model), {"input_features": features}, ["audio_embeds"])

    ids = torch.randint(4, model.config.text_config.vocab_size, (2, 9))
    also = [{"input_ids": torch.randint(4, 1000, (1, length))} for length in (2, MAX_TOKENS)]
    also.append({"input_ids": torch.from_numpy(np.array([Tokenizer.from_str(tokenizer).encode("a dog barks").ids]))})
    recipe.graph("text.onnx", Text(model), {"input_ids": ids}, ["text_embeds"], {"input_ids": {1: "tokens"}}, also=also)
    recipe.write("tokenizer.json", tokenizer)

    extractor = ClapFeatureExtractor.from_pretrained(folder) if folder else front_end(fused)

    def hear(samples: np.ndarray) -> np.ndarray:
        """As transformers does it; ten seconds leave nothing to chance, and `is_longer` is true for a single clip."""
        inputs = extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        return embedding(model.get_audio_features(**{key: inputs[key] for key in ("input_features", "is_longer")}))

    def read(text: str) -> np.ndarray:
        ids = torch.tensor([Tokenizer.from_str(tokenizer).encode(text).ids])
        return embedding(model.get_text_features(input_ids=ids, attention_mask=torch.ones_like(ids)))

    recipe.goldens(SAMPLE_RATE, hear, read)
    recipe.finish(logit_scale=model.logit_scale_a.exp().item())
