"""Makes MERT's audio.onnx from m-a-p/MERT-v1-95M on the model hub, with the HuBERT of transformers.

    pip install -r requirements.txt
    python export.py --out /tmp/mert
    earmark models import /tmp/mert      # tried, and only then installed

The repository's own code is not run: without the options that `check` refuses, it is HuBERT.

The graph takes a waveform of zero mean and unit variance [batch, 120000] and gives `embedding` [batch, 768]: the mean
over time of layer 6. Layers 7 to 12 are left out of it.
"""

import json
import sys
from pathlib import Path

import torch
from torch import nn
from transformers import HubertConfig, HubertModel

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

from earmark_export import Recipe, randomise  # noqa: E402

HUB = "m-a-p/MERT-v1-95M"
REVISION = "12af15fef9d0ac838c3f475bfbbf26d2060dd4f5"
LAYER = 6


class Encoder(nn.Module):
    def __init__(self, model: HubertModel):
        super().__init__()
        self.model = model

    def forward(self, input_values: torch.Tensor) -> torch.Tensor:
        return self.model(input_values).last_hidden_state.mean(1)


class Reference(nn.Module):
    """All layers, as the original computes them."""

    def __init__(self, model: HubertModel):
        super().__init__()
        self.model = model

    def forward(self, input_values: torch.Tensor) -> torch.Tensor:
        return self.model(input_values, output_hidden_states=True).hidden_states[LAYER].mean(1)


def check(config: dict) -> None:
    for option in ("feature_extractor_cqt", "deepnorm", "do_stable_layer_norm", "conv_pos_batch_norm"):
        if config.get(option):
            raise SystemExit(f"the checkpoint uses {option}, which this recipe does not know")


def load(folder: Path) -> HubertModel:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    check(config)
    known = {
        key: value
        for key, value in config.items()
        if key in HubertConfig().to_dict() and key not in ("model_type", "auto_map")
    }
    model = HubertModel(HubertConfig(**known, attn_implementation="eager"))
    model.load_state_dict(torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True))
    return model


def main() -> None:
    recipe = Recipe(__file__, hub=HUB, revision=REVISION)
    if recipe.random:
        # The configuration of the checkpoint is HuBERT base.
        whole = randomise(HubertModel(HubertConfig(attn_implementation="eager")))
    else:
        whole = load(recipe.snapshot(["config.json", "pytorch_model.bin"]))
    whole.eval()
    reference = Reference(whole)
    waveform = torch.randn(2, 120000)
    short = HubertModel(whole.config)
    short.load_state_dict(whole.state_dict())
    short.encoder.layers = short.encoder.layers[:LAYER]
    recipe.graph("audio.onnx", Encoder(short), {"input_values": waveform}, ["embedding"], reference=reference)
    recipe.finish()


if __name__ == "__main__":
    main()
