"""Makes HTS-AT's audio.onnx from its authors' checkpoint, by transformers' code: the audio half of CLAP is HTS-AT.

    pip install -r requirements.txt
    python export.py --out /tmp/htsat --checkpoint HTSAT_AudioSet_Saved_1.ckpt
    earmark models import /tmp/htsat      # tried, and only then installed

The checkpoint lies in the Google Drive folder that https://github.com/RetroCirce/HTS-Audio-Transformer names.

The graph takes log-mel features in dB [batch, 1, 1001, 64] and gives `logits` [batch, 527] and `embedding` [batch,
768]. The spectrogram is outside the graph; batch norm over its bands and the stretching to 1024 frames are inside.
"""

import re
import sys
from pathlib import Path

import torch
from torch import nn
from transformers import ClapAudioConfig
from transformers.models.clap.modeling_clap import ClapAudioModel

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

from earmark_export import Recipe, randomise  # noqa: E402

WHERE = "the Google Drive folder named at https://github.com/RetroCirce/HTS-Audio-Transformer"

# HTS-AT's names and those of transformers.
NAMES = [
    ("bn0.", "batch_norm."),
    (".norm1.", ".layernorm_before."),
    (".norm2.", ".layernorm_after."),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
    (".attn.proj.", ".attention.output.dense."),
    (".attn.relative", ".attention.self.relative"),
]
# Not in the graph (spectrogram), a second head that nothing reads (head), and masks that the shape gives.
UNUSED = re.compile(r"spectrogram_extractor\.|logmel_extractor\.|head\.|.*\.attn_mask$")


class Tagger(nn.Module):
    """The encoder and the token-semantic head: a convolution over the tokens' grid scores every class and frame."""

    def __init__(self):
        super().__init__()
        # The authors' config.py: 256 x 256, patches of 4, dimension 96, depths 2 2 6 2, heads 4 8 16 32, windows of 8
        config = ClapAudioConfig(attn_implementation="eager")
        self.encoder = ClapAudioModel(config).audio_encoder
        # The grid is 2 high (8 rows of tokens in 4 groups) and 32 long.
        self.tscam_conv = nn.Conv2d(config.hidden_size, 527, kernel_size=(2, 3), padding=(0, 1))

    def forward(self, log_mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        grid = self.encoder(log_mel).last_hidden_state
        return self.tscam_conv(grid).flatten(2).mean(2), grid.flatten(2).mean(2)

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Loads a state of HTS-AT; every tensor must find its place and every place its tensor."""
        renamed = {}
        for name, tensor in state.items():
            name = name.removeprefix("sed_model.")
            if UNUSED.match(name):
                continue
            for old, new in NAMES:
                name = name.replace(old, new)
            if not name.startswith("tscam_conv."):
                name = "encoder." + name
            if ".attn.qkv." in name:
                for part, values in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                    renamed[name.replace(".attn.qkv.", f".attention.self.{part}.")] = values
            else:
                renamed[name] = tensor
        missing, unknown = self.load_state_dict(renamed, strict=False)
        # What the fused CLAP alone has, or the shape gives, is not in a checkpoint of HTS-AT.
        missing = [
            name for name in missing if not name.endswith((".relative_position_index", ".num_batches_tracked"))
        ]
        if missing or unknown:
            raise SystemExit(f"the checkpoint lacks {missing} and has besides {unknown}")


def main() -> None:
    recipe = Recipe(__file__, where=WHERE)
    model = Tagger().eval()
    if recipe.random:
        randomise(model)
    else:
        # Saved by Lightning with the training's state around the tensors, which weights_only could not read.
        model.load(
            torch.load(recipe.download("HTSAT_AudioSet_Saved_1.ckpt"), map_location="cpu", weights_only=False)[
                "state_dict"
            ]
        )
    recipe.graph("audio.onnx", model, {"log_mel": torch.randn(2, 1, 1001, 64) * 15 - 30}, ["logits", "embedding"])
    recipe.finish()


if __name__ == "__main__":
    main()
