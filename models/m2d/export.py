"""Makes M2D's audio.onnx from a release of its authors fine-tuned on AudioSet, with the ViT of timm.

    pip install -r requirements.txt
    curl -LO https://github.com/nttcslab/m2d/releases/download/v0.3.0/m2d_as_vit_base-80x1001p16x16-240213_AS-FT_enconly.zip
    unzip m2d_as_vit_base-80x1001p16x16-240213_AS-FT_enconly.zip
    python export.py --out /tmp/m2d \\
        --checkpoint m2d_as_vit_base-80x1001p16x16-240213_AS-FT_enconly/weights_ep69it3124-0.48494.pth
    earmark models import /tmp/m2d      # tried, and only then installed

Read the weights' licence first (README.md): it allows evaluation, and no changes.

The graph takes natural log-mel features [batch, 1, 80, 1001] and gives `logits` [batch, 527] and `embedding` [batch,
768]: the mean of the patches' tokens. Features are normalised inside, with the statistics in the checkpoint.
"""

import sys
from functools import partial
from pathlib import Path

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

from earmark_export import Recipe, randomise  # noqa: E402

WHERE = "https://github.com/nttcslab/m2d/releases/tag/v0.3.0"

MELS, FRAMES, PATCH, CLASSES = 80, 1001, 16, 527
ROWS = MELS // PATCH
HEAD = "module.head.mlp.mlp.0"  # names of the evaluation package that the authors fine-tuned with
NORM = "module.head.norm"
ROOT = "module.ar.runtime.backbone."
STATISTICS = (-7.1, 4.2)  # of the models of 2022, whose checkpoints hold none


class Tagger(nn.Module):
    """width: of the features that the head reads: 768, or 3840 where the five patches of a time step are stacked."""

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("statistics", torch.tensor(STATISTICS))
        # 1001 frames are 62 patches; the last 9 frames are in none.
        self.vit = VisionTransformer(
            img_size=(MELS, FRAMES),
            patch_size=PATCH,
            in_chans=1,
            num_classes=0,
            global_pool="",
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
        )
        self.head_norm = nn.BatchNorm1d(width, affine=False)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, log_mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = (log_mel - self.statistics[0]) / self.statistics[1]
        tokens = self.vit(x)[:, 1:]
        embedding = tokens.mean(1)
        features = embedding
        if self.head.in_features != features.shape[1]:
            rows = tokens.reshape(-1, ROWS, FRAMES // PATCH, tokens.shape[2]).mean(2)
            features = rows.reshape(-1, self.head.in_features)
        features = (features - self.head_norm.running_mean) * torch.rsqrt(
            self.head_norm.running_var + self.head_norm.eps
        )
        return self.head(features), embedding


def load(checkpoint: dict, here: Path) -> Tagger:
    """The checkpoint, whose classes are sorted by machine id, with the head's rows in AudioSet's order."""
    state = checkpoint.get("model", checkpoint)
    if f"{HEAD}.weight" not in state:
        raise SystemExit("the checkpoint has no AudioSet head: take one of the releases named AS-FT")
    model = Tagger(state[f"{HEAD}.weight"].shape[1])
    vit = {name.removeprefix(ROOT): tensor for name, tensor in state.items() if not name.startswith("module.head.")}
    if "norm_stats" in vit:
        model.statistics.copy_(vit["norm_stats"])
    wanted = model.vit.state_dict().keys()
    missing = sorted(wanted - vit.keys())
    if missing:
        raise SystemExit(f"the checkpoint lacks {missing}")
    model.vit.load_state_dict({name: vit[name] for name in wanted})
    mids = (here / "mids.txt").read_text(encoding="utf-8").split()
    rows = [sorted(mids).index(mid) for mid in mids]
    model.head.weight.copy_(state[f"{HEAD}.weight"][rows])
    model.head.bias.copy_(state[f"{HEAD}.bias"][rows])
    model.head_norm.running_mean.copy_(state[f"{NORM}.running_mean"])
    model.head_norm.running_var.copy_(state[f"{NORM}.running_var"])
    return model


def main() -> None:
    recipe = Recipe(__file__, where=WHERE)
    if recipe.random:
        model = randomise(Tagger(768))
    else:
        # The training's arguments are saved beside the tensors, which weights_only could not read.
        model = load(
            torch.load(recipe.download("weights_ep69it3124-0.48494.pth"), map_location="cpu", weights_only=False),
            recipe.here,
        )
    recipe.graph("audio.onnx", model, {"log_mel": torch.randn(2, 1, MELS, FRAMES) * 4 - 7}, ["logits", "embedding"])
    recipe.finish()


if __name__ == "__main__":
    main()
