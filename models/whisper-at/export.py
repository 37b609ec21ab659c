"""Makes Whisper-AT's audio.onnx from OpenAI's small.pt and Whisper-AT's small_ori.pth, by transformers' layers.

    pip install -r requirements.txt
    python export.py --out /tmp/whisper-at --checkpoint FOLDER
    earmark models import /tmp/whisper-at      # tried, and only then installed

FOLDER holds both files: what `whisper_at.load_model("small")` of PyPI whisper-at 0.5 leaves in ~/.cache/whisper (the
addresses are in its __init__.py).

The graph takes log-mel features [batch, 80, 1000] and gives `logits` [batch, 527] and `embedding` [batch, 768]: what
the head reads. The encoder runs on 10 s, as the head was trained.
"""

import sys
from pathlib import Path

import torch
from torch import nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder, WhisperEncoderLayer

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

from earmark_export import Recipe, randomise  # noqa: E402

WHERE = "the addresses in whisper_at/__init__.py of PyPI whisper-at 0.5"

DIM, LAYERS, HEADS, CLASSES = 768, 12, 12, 527  # Whisper small
POOL = 20  # positions averaged before the head, 0.4 s
# OpenAI's names within a layer and those of transformers.
NAMES = [
    ("attn_ln.", "self_attn_layer_norm."),
    ("attn.query.", "self_attn.q_proj."),
    ("attn.key.", "self_attn.k_proj."),
    ("attn.value.", "self_attn.v_proj."),
    ("attn.out.", "self_attn.out_proj."),
    ("mlp_ln.", "final_layer_norm."),
    ("mlp.0.", "fc1."),
    ("mlp.2.", "fc2."),
]


def config(heads: int) -> WhisperConfig:
    return WhisperConfig(
        d_model=DIM,
        encoder_layers=LAYERS,
        encoder_attention_heads=heads,
        encoder_ffn_dim=4 * DIM,
        attn_implementation="eager",
    )


def run(layer: WhisperEncoderLayer, x: torch.Tensor) -> torch.Tensor:
    return layer(x, attention_mask=None, layer_head_mask=None)[0]


class Tagger(nn.Module):
    """Every layer's output, pooled over 0.4 s, goes through a transformer over time and one over layers (TL-TR)."""

    def __init__(self):
        super().__init__()
        self.encoder = WhisperEncoder(config(HEADS))
        self.time_tr = WhisperEncoderLayer(config(1))
        self.layer_tr = WhisperEncoderLayer(config(8))
        self.head_norm = nn.LayerNorm(DIM)
        self.head = nn.Linear(DIM, CLASSES)

    def forward(self, mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = nn.functional.gelu(self.encoder.conv1(mel))
        x = nn.functional.gelu(self.encoder.conv2(x)).transpose(1, 2)
        x = x + self.encoder.embed_positions.weight[: x.shape[1]]
        over_time = []
        for layer in self.encoder.layers:
            x = run(layer, x)
            steps = nn.functional.avg_pool1d(x.transpose(1, 2), POOL).transpose(1, 2)
            over_time.append(run(self.time_tr, steps).mean(1))
        embedding = run(self.layer_tr, torch.stack(over_time, 1)).mean(1)
        return self.head(self.head_norm(embedding)), embedding


def load(model: Tagger, whisper: dict[str, torch.Tensor], head: dict[str, torch.Tensor]) -> None:
    """Loads both states; every tensor of the model must be in one of them, and every one of the head's be used."""
    state = {}
    for name, tensor in {**whisper, **head}.items():
        for old, new in [
            ("encoder.positional_embedding", "encoder.embed_positions.weight"),
            ("encoder.blocks.", "encoder.layers."),
            ("encoder.ln_post.", "encoder.layer_norm."),
            ("at_model.mlp_layer.0.", "head_norm."),
            ("at_model.mlp_layer.1.", "head."),
            ("at_model.", ""),
        ]:
            name = name.replace(old, new)
        for old, new in NAMES:
            name = name.replace(old, new)
        if not name.startswith("decoder."):
            state[name] = tensor.float()
    missing, unknown = model.load_state_dict(state, strict=False)
    if missing or unknown:
        raise SystemExit(f"the checkpoints lack {missing} and have besides {unknown}")


def main() -> None:
    recipe = Recipe(__file__, where=WHERE)
    model = Tagger().eval()
    if recipe.random:
        randomise(model)
    else:
        folder = recipe.snapshot()
        whisper = torch.load(folder / "small.pt", map_location="cpu", weights_only=True)["model_state_dict"]
        load(model, whisper, torch.load(folder / "small_ori.pth", map_location="cpu", weights_only=True))
    recipe.graph("audio.onnx", model, {"mel": torch.randn(2, 80, 1000) * 0.5}, ["logits", "embedding"])
    recipe.finish()


if __name__ == "__main__":
    main()
