"""Makes CNN14's audio.onnx from Cnn14_mAP=0.431.pth (Zenodo record 3987831), by the code of PyPI panns-inference.

    pip install -r requirements.txt
    python export.py --out /tmp/panns-cnn14 --checkpoint Cnn14_mAP=0.431.pth
    earmark models import /tmp/panns-cnn14      # tried, and only then installed

The graph takes log-mel features in dB [batch, 1, frames, 64] and gives `logits` [batch, 527] and `embedding` [batch,
2048]. The spectrogram is outside the graph, the batch norm over its bands (bn0) inside.
"""

import sys
import types
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

from earmark_export import Recipe, randomise  # noqa: E402

# The package's __init__ downloads a class list into the home folder, so only its module of models is loaded.
package = types.ModuleType("panns_inference")
package.__path__ = list(find_spec("panns_inference").submodule_search_locations)
sys.modules["panns_inference"] = package

from panns_inference.models import Cnn14  # noqa: E402

WHERE = "https://zenodo.org/records/3987831"


class Tagger(nn.Module):
    """Cnn14.forward in evaluation, from the log-mel features on."""

    def __init__(self, model: Cnn14):
        super().__init__()
        self.model = model

    def forward(self, log_mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        model = self.model
        x = model.bn0(log_mel.transpose(1, 3)).transpose(1, 3)
        blocks = [model.conv_block1, model.conv_block2, model.conv_block3, model.conv_block4, model.conv_block5]
        for block in blocks:
            x = block(x, pool_size=(2, 2), pool_type="avg")
        x = model.conv_block6(x, pool_size=(1, 1), pool_type="avg").mean(3)
        embedding = torch.relu(model.fc1(x.amax(2) + x.mean(2)))
        return model.fc_audioset(embedding), embedding


def main() -> None:
    recipe = Recipe(__file__, where=WHERE)
    model = Cnn14(
        sample_rate=32000, window_size=1024, hop_size=320, mel_bins=64, fmin=50, fmax=14000, classes_num=527
    ).eval()
    if recipe.random:
        randomise(model)
    else:
        model.load_state_dict(
            torch.load(recipe.download("Cnn14_mAP=0.431.pth"), map_location="cpu", weights_only=True)["model"]
        )
    recipe.graph(
        "audio.onnx",
        Tagger(model),
        {"log_mel": torch.randn(2, 1, 1001, 64) * 15 - 30},
        ["logits", "embedding"],
        dynamic={"log_mel": {2: "frames"}},
        also=[{"log_mel": torch.randn(1, 1, 501, 64) * 15 - 30}],
    )
    recipe.finish()


if __name__ == "__main__":
    main()
