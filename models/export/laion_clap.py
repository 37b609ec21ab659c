"""Exports LAION's CLAP, as the `transformers` package holds it, to the layout of the public ONNX files.

The audio graph takes raw dB mels (its batch norm is inside), the text graph takes `input_ids` alone. Both give the
projections before any normalisation. A fused model's audio graph also takes `is_longer`.
"""

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoTokenizer, ClapAudioConfig, ClapConfig, ClapFeatureExtractor, ClapModel, ClapTextConfig

from earmark_export import Recipe, byte_tokenizer, plain_tokenizer, randomise

SAMPLE_RATE = 48000
FRAMES, MELS = 1001, 64  # 10 s at 48 kHz with a hop of 480, centred
MAX_TOKENS = 77

# What differs from ClapAudioConfig's defaults, which are those of clap-htsat-unfused. A checkpoint brings its own.
FUSED = {"enable_fusion": True, "fusion_type": "aff_2d"}
LARGER = {"patch_embeds_hidden_size": 128, "hidden_size": 1024, "depths": [2, 2, 12, 2]}


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


def random_model(changes: dict) -> ClapModel:
    """The architecture with random weights. `changes` are those of the audio configuration."""
    audio = ClapAudioConfig(**changes).to_dict()
    return randomise(ClapModel(ClapConfig(audio_config=audio, text_config=ClapTextConfig().to_dict())))


def embedding(output) -> np.ndarray:
    """The one row of what `get_*_features` gives: a tensor up to transformers 4, an object that holds it from 5 on."""
    return getattr(output, "pooler_output", output)[0].numpy()


def export(file: str, hub: str, revision: str, changes: dict) -> None:
    """A whole recipe. `changes` are the architecture's for `--random-weights`: `{}`, `FUSED` or `LARGER`."""
    recipe = Recipe(file, hub, revision)
    if recipe.random:
        model, tokenizer = random_model(changes), byte_tokenizer(["<s>", "<pad>", "</s>", "<unk>"], "<s>", "</s>")
    else:
        folder = recipe.snapshot(["*.json", "*.txt", "*.safetensors", "*.bin"])
        model, tokenizer = ClapModel.from_pretrained(folder), plain_tokenizer(AutoTokenizer.from_pretrained(folder))
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

    truncation = "fusion" if fused else "rand_trunc"
    extractor = ClapFeatureExtractor(frequency_min=50, frequency_max=14000, truncation=truncation, padding="repeatpad")
    if not recipe.random:
        extractor = ClapFeatureExtractor.from_pretrained(folder)

    def hear(samples: np.ndarray) -> np.ndarray:
        """As transformers does it; ten seconds leave nothing to chance, and `is_longer` is true for a single clip."""
        inputs = extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        return embedding(model.get_audio_features(**{key: inputs[key] for key in ("input_features", "is_longer")}))

    def read(text: str) -> np.ndarray:
        ids = torch.tensor([Tokenizer.from_str(tokenizer).encode(text).ids])
        return embedding(model.get_text_features(input_ids=ids, attention_mask=torch.ones_like(ids)))

    recipe.goldens(SAMPLE_RATE, hear, read)
    recipe.finish(logit_scale=model.logit_scale_a.exp().item())
