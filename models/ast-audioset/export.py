"""Makes AST's audio.onnx from MIT/ast-finetuned-audioset-10-10-0.4593 on the model hub, by transformers' code.

    pip install -r requirements.txt
    python export.py --out /tmp/ast-audioset
    earmark models import /tmp/ast-audioset      # tried, and only then installed

The graph takes normalised log-mel features [batch, 1024, 128] and gives `logits` [batch, 527] and `embedding` [batch,
768]: the mean of the class and the distillation token after the last norm, which the head reads (transformers'
`pooler_output`).
"""

import sys
from pathlib import Path

import torch
from torch import nn
from transformers import ASTConfig, ASTForAudioClassification

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))

from earmark_export import Recipe, randomise  # noqa: E402

HUB = "MIT/ast-finetuned-audioset-10-10-0.4593"
REVISION = "f826b80d28226b62986cc218e5cec390b1096902"


class Tagger(nn.Module):
    def __init__(self, model: ASTForAudioClassification):
        super().__init__()
        self.model = model

    def forward(self, input_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embedding = self.model.audio_spectrogram_transformer(input_values).pooler_output
        return self.model.classifier(embedding), embedding


def check_order(labels: dict[int, str], classes: list[str]) -> None:
    """The checkpoint's classes are those of classes.txt, in order; how they are spelled may differ."""

    def plain(name: str) -> str:
        return "".join(c for c in name.lower() if c.isalnum())

    for index, name in enumerate(classes):
        if plain(labels[index]) != plain(name):
            raise SystemExit(f"class {index} is {labels[index]!r} in the checkpoint and {name!r} in classes.txt")


def main() -> None:
    recipe = Recipe(__file__, hub=HUB, revision=REVISION)
    classes = (recipe.here / "classes.txt").read_text(encoding="utf-8").splitlines()
    if recipe.random:
        # The configuration of the checkpoint is the class's own default, with 527 classes.
        model = randomise(ASTForAudioClassification(ASTConfig(num_labels=len(classes), attn_implementation="eager")))
    else:
        folder = recipe.snapshot(["config.json", "model.safetensors"])
        model = ASTForAudioClassification.from_pretrained(folder, attn_implementation="eager")
        check_order(model.config.id2label, classes)
    recipe.graph(
        "audio.onnx",
        Tagger(model),
        {"input_values": torch.randn(2, 1024, 128) * 0.5},
        ["logits", "embedding"],
        reference=Tagger(model),
    )
    recipe.finish()


if __name__ == "__main__":
    main()
