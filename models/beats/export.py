"""Makes BEATs' audio.onnx from BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt, by the code of PyPI speechbrain.

    pip install -r requirements.txt
    python export.py --out /tmp/beats \\
        --checkpoint BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt
    earmark models import /tmp/beats      # tried, and only then installed

The checkpoint is "Fine-tuned BEATs_iter3+ (AS2M) (cpt2)" at https://github.com/microsoft/unilm/tree/master/beats.

The graph takes normalised log-mel features [batch, 998, 128] and gives `logits` [batch, 527] and `embedding` [batch,
768]: the mean of the patches' tokens.
"""

import sys
from pathlib import Path

import torch
from speechbrain.lobes.models import beats
from torch import nn

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

from earmark_export import Recipe, randomise  # noqa: E402

WHERE = "https://github.com/microsoft/unilm/tree/master/beats"

# `cfg` of the checkpoint, for random weights.
CONFIG = {
    "deep_norm": True,
    "relative_position_embedding": True,
    "num_buckets": 320,
    "max_distance": 800,
    "gru_rel_pos": True,
    "finetuned_model": True,
    "predictor_class": 527,
}


class Tagger(nn.Module):
    """BEATs.extract_features from the fbank on, without a padding mask, and with the mean before the sigmoid."""

    def __init__(self, model: beats.BEATs):
        super().__init__()
        self.model = model

    def forward(self, fbank: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        model = self.model
        x = model.patch_embedding(fbank.unsqueeze(1)).flatten(2).transpose(1, 2)
        x, _ = model.encoder(model.post_extract_proj(model.layer_norm(x)), padding_mask=None)
        return model.predictor(x).mean(1), x.mean(1)


def load(config: dict, state: dict | None) -> beats.BEATs:
    # The class takes a configuration from a file only.
    published = beats.BEATsConfig(config)
    beats.BEATsConfig = lambda _: published
    model = beats.BEATs()
    # It scales gradients, which an export has none of.
    model.encoder.layer_wise_gradient_decay_ratio = 1.0
    if state is not None:
        model.load_state_dict(state)
    return model


def reorder(model: beats.BEATs, label_dict: dict[int, str], mids: list[str]) -> None:
    """Puts the rows of the head into AudioSet's order; the checkpoint says which machine id each row is."""
    row = {mid: int(index) for index, mid in label_dict.items()}
    rows = [row[mid] for mid in mids]
    if sorted(rows) != list(range(len(mids))):
        raise SystemExit("the checkpoint's label_dict is not the 527 classes of AudioSet")
    model.predictor.weight.copy_(model.predictor.weight[rows].clone())
    model.predictor.bias.copy_(model.predictor.bias[rows].clone())


def main() -> None:
    recipe = Recipe(__file__, where=WHERE)
    if recipe.random:
        model = randomise(load(CONFIG, None))
    else:
        checkpoint = torch.load(
            recipe.download("BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt"), map_location="cpu", weights_only=True
        )
        model = load(checkpoint["cfg"], checkpoint["model"])
        reorder(model, checkpoint["label_dict"], (recipe.here / "mids.txt").read_text(encoding="utf-8").split())
    recipe.graph("audio.onnx", Tagger(model), {"fbank": torch.randn(2, 998, 128) * 0.5}, ["logits", "embedding"])
    recipe.finish()


if __name__ == "__main__":
    main()
