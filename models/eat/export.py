"""Makes EAT's audio.onnx from worstchan/EAT-base_epoch30_finetune_AS2M on the model hub.

    pip install -r requirements.txt
    python export.py --out /tmp/eat
    earmark models import /tmp/eat      # tried, and only then installed

The repository's own code is not run: EAT base is a ViT-B whose blocks normalise after each sum instead of before,
built here from the layers of timm.

The graph takes normalised log-mel features [batch, 1, 1024, 128] and gives `logits` [batch, 527] and `embedding`
[batch, 768]: the class token after the last block.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from timm.layers import Attention, Mlp
from torch import nn

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

from earmark_export import Recipe, randomise  # noqa: E402

HUB = "worstchan/EAT-base_epoch30_finetune_AS2M"
DIM, HEADS, DEPTH, CLASSES = 768, 12, 12, 527
FRAMES, MELS, PATCH = 1024, 128, 16
POSITIONS = 768 * (MELS // PATCH)  # the checkpoint has positions for 768 patches in time, of which 64 are used


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = Attention(DIM, HEADS, qkv_bias=True)
        self.norm1 = nn.LayerNorm(DIM, eps=1e-6)
        self.mlp = Mlp(DIM, 4 * DIM)
        self.norm2 = nn.LayerNorm(DIM, eps=1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))


class Eat(nn.Module):
    """Names of parameters as in the checkpoint."""

    def __init__(self):
        super().__init__()
        self.local_encoder = nn.ModuleDict({"proj": nn.Conv2d(1, DIM, kernel_size=PATCH, stride=PATCH)})
        self.fixed_positional_encoder = nn.ParameterDict({"positions": torch.zeros(1, POSITIONS, DIM)})
        self.extra_tokens = nn.Parameter(torch.zeros(1, 1, DIM))
        self.pre_norm = nn.LayerNorm(DIM, eps=1e-6)
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.fc_norm = nn.LayerNorm(DIM)  # 1e-5, other than the rest
        self.head = nn.Linear(DIM, CLASSES)

    def forward(self, mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.local_encoder["proj"](mel).flatten(2).transpose(1, 2)
        x = x + self.fixed_positional_encoder["positions"][:, : x.shape[1]]
        x = self.pre_norm(torch.cat((self.extra_tokens.expand(x.shape[0], -1, -1), x), dim=1))
        for block in self.blocks:
            x = block(x)
        embedding = x[:, 0]
        return self.head(self.fc_norm(embedding)), embedding


def main() -> None:
    recipe = Recipe(__file__, hub=HUB)
    model = Eat().eval()
    if recipe.random:
        randomise(model)
    else:
        state = load_file(recipe.download("model.safetensors"))
        model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in state.items()})
    recipe.graph("audio.onnx", model, {"mel": torch.randn(2, 1, FRAMES, MELS) * 0.5}, ["logits", "embedding"])
    recipe.finish()


if __name__ == "__main__":
    main()
