"""Exports Microsoft's CLAP, as the `msclap` package holds it.

The audio graph takes samples, since the checkpoint brings its own filter bank: the package makes the 2023 model's for
32 kHz and 50-14000 Hz, feeds it 44.1 kHz, and then loads whatever bank the checkpoint holds (github.com/microsoft/CLAP,
issue 38). What the package's settings say (`n_fft: 1028`, `fmax: 8000`) is not what it computes. Both graphs give the
projections before any normalisation.
"""

import librosa
import numpy as np
import torch
from msclap.models import clap as package
from msclap.models import htsat
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel, AutoTokenizer, BertConfig, GPT2Config

from earmark_export import Recipe, byte_tokenizer, plain_tokenizer, randomise, windows

HUB = "microsoft/msclap"
SAMPLE_RATE = 44100
# What both years share in msclap/configs/config_*.yml, as CLAPWrapper.load_clap passes it on.
SHARED = {"sample_rate": SAMPLE_RATE, "window_size": 1024, "hop_size": 320, "mel_bins": 64, "fmin": 50, "classes_num": 527,
          "transformer_embed_dim": 768, "d_proj": 1024}
YEARS = {
    "2022": {"audioenc_name": "Cnn14", "fmax": 14000, "out_emb": 2048, "text_model": "bert-base-uncased"},
    "2023": {"audioenc_name": "HTSAT", "fmax": 8000, "out_emb": 768, "text_model": "gpt2"},
}
SECONDS = {"2022": 5, "2023": 7}
MAX_TOKENS = {"2022": 100, "2023": 77}
# The text encoders as the package names them, and where their tokenizers are now, at which revision.
TOKENIZERS = {
    "bert-base-uncased": ("google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"),
    "gpt2": ("openai-community/gpt2", "607a30d783dfa663caf39e06633721c8d4cfcd7e"),
}


class Audio(nn.Module):
    """[batch, samples] to [batch, dim], not normalised."""

    def __init__(self, clap: nn.Module):
        super().__init__()
        self.encoder = clap.audio_encoder

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.encoder(samples)[0]


class TraceableAudio(Audio):
    """`Audio` in a form that can be exported: the package's HTSAT fixes the batch when it puts windows back together."""

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        original, htsat.window_reverse = htsat.window_reverse, whole_image
        try:
            return super().forward(samples)
        finally:
            htsat.window_reverse = original


def whole_image(windows: torch.Tensor, window_size: int, height: int, width: int) -> torch.Tensor:
    """[batch * windows, window_size, window_size, channels] back to [batch, height, width, channels], for any batch."""
    rows, columns = height // window_size, width // window_size
    channels = windows.shape[-1]
    grid = windows.reshape(-1, rows, columns, window_size, window_size, channels)
    return grid.transpose(2, 3).reshape(-1, height, width, channels)


class BertText(nn.Module):
    """[batch, tokens] and their mask to [batch, dim], not normalised."""

    def __init__(self, clap: nn.Module):
        super().__init__()
        self.encoder = clap.caption_encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        types = torch.zeros_like(input_ids)
        return self.encoder({"input_ids": input_ids, "token_type_ids": types, "attention_mask": attention_mask})


class GptText(nn.Module):
    """[batch, tokens] without padding to [batch, dim], not normalised.

    The package pads with `!`, token 0, and takes the state of token number (tokens that are not 0) - 1, so a text with
    a `!` of its own is read a little short of its end. The count is kept. The padding is not needed: no token sees what
    comes after it.
    """

    def __init__(self, clap: nn.Module):
        super().__init__()
        self.encoder = clap.caption_encoder

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        # Given whole, since what transformers makes of a mask of ones cannot be traced.
        tokens = input_ids.shape[1]
        mask = torch.full((tokens, tokens), torch.finfo(torch.float32).min).triu(1)
        return self.encoder({"input_ids": input_ids, "attention_mask": mask.expand(input_ids.shape[0], 1, tokens, tokens)})


class Padded(nn.Module):
    """A text encoder fed as CLAPWrapper.preprocess_text does: every text filled up to the fixed length."""

    def __init__(self, clap: nn.Module, length: int, keys: list[str]):
        super().__init__()
        self.encoder, self.length, self.keys = clap.caption_encoder, length, keys

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        missing = (0, self.length - input_ids.shape[1])
        padded = {"input_ids": nn.functional.pad(input_ids, missing), "attention_mask": nn.functional.pad(mask, missing)}
        padded["token_type_ids"] = torch.zeros_like(padded["input_ids"])
        return self.encoder({key: padded[key] for key in self.keys})


class FromConfig:
    """Stands in for `AutoModel` in the package, which would download text weights that the checkpoint replaces anyway."""

    @staticmethod
    def from_pretrained(name: str) -> nn.Module:
        config = GPT2Config() if name == "gpt2" else BertConfig()  # the defaults are those of gpt2 and bert-base-uncased
        return AutoModel.from_config(config, attn_implementation="eager")


def load(clap: nn.Module, checkpoint: str) -> None:
    """Loads the weights. The package ignores what does not fit; here a trained parameter that is lacking is an error.

    The filter bank is no trained one: without it, the package's own stays, as it does in the package.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["model"]
    report = clap.load_state_dict(state, strict=False)
    parameters = {name for name, parameter in clap.named_parameters() if parameter.requires_grad}
    lacking = sorted(parameters.intersection(report.missing_keys))
    if lacking:
        raise SystemExit(f"{checkpoint} lacks {len(lacking)} parameters, such as {lacking[0]}: it is of another model")
    if report.unexpected_keys:
        unused = report.unexpected_keys
        print(f"not used from the checkpoint: {', '.join(unused[:5])} ({len(unused)} in all)")


def name_bank(clap: nn.Module) -> str:
    """Which filter bank the front end holds, in words: the one that the settings name, another known one, or neither."""
    held = next(weight for name, weight in clap.named_parameters() if name.endswith("melW")).numpy()
    for rate, lowest, highest in [(44100, 50, 14000), (44100, 50, 8000), (32000, 50, 14000)]:
        bank = librosa.filters.mel(sr=rate, n_fft=1024, n_mels=64, fmin=lowest, fmax=highest).T
        if np.abs(held - bank).max() < 1e-6:
            return f"made for {rate} Hz, {lowest} to {highest} Hz"
    return "of an unknown kind"


def export(file: str, year: str) -> None:
    """A whole recipe, for `2022` or `2023`."""
    text_model, length = YEARS[year]["text_model"], MAX_TOKENS[year]
    tokenizer_help = f"folder with {text_model}'s tokenizer, if it is on this machine"
    recipe = Recipe(file, HUB, options={"--tokenizer": tokenizer_help})
    package.AutoModel = FromConfig
    clap = package.CLAP(**SHARED, **YEARS[year])
    gpt = text_model == "gpt2"
    if recipe.random:
        randomise(clap)
        special = ["!"] if gpt else ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        tokenizer = byte_tokenizer(special, *([] if gpt else ["[CLS]", "[SEP]"]))
    else:
        load(clap, str(recipe.download(f"CLAP_weights_{year}.pth")))
        repo, revision = TOKENIZERS[text_model]
        original = AutoTokenizer.from_pretrained(recipe.args.tokenizer or repo, revision=revision)
        if gpt:
            original.add_special_tokens({"pad_token": "!"})  # as the package does; it also keeps `!!` from being one token
        tokenizer = plain_tokenizer(original)
    clap = clap.eval()
    print(f"the filter bank is {name_bank(clap)}")

    samples = 0.1 * torch.randn(2, SECONDS[year] * SAMPLE_RATE)
    samples[1, SAMPLE_RATE:] = 0  # digital silence too
    recipe.graph("audio.onnx", TraceableAudio(clap), {"samples": samples}, ["audio_embeds"], reference=Audio(clap))

    def texts(rows: int, tokens: int) -> dict[str, torch.Tensor]:
        ids = torch.randint(1, 30000, (rows, tokens))
        return {"input_ids": ids} if gpt else {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    cases = [texts(1, tokens) for tokens in (1, 30, length)]
    if gpt:
        cases.append({"input_ids": torch.tensor([[464, 0, 0, 9, 50256]])})  # exclamation marks of the text's own
    else:
        padded = texts(2, 12)
        padded["attention_mask"][1, 5:] = 0
        cases.append(padded)
    keys = ["input_ids", "attention_mask"] if gpt else ["input_ids", "token_type_ids", "attention_mask"]
    example = texts(2, 9)
    recipe.graph("text.onnx", (GptText if gpt else BertText)(clap), example, ["text_embeds"],
                 {key: {1: "tokens"} for key in example}, reference=Padded(clap, length, keys), also=cases)
    recipe.write("tokenizer.json", tokenizer)

    def hear(samples: np.ndarray) -> np.ndarray:
        cut = windows(samples, SECONDS[year] * SAMPLE_RATE)
        return clap.audio_encoder(torch.from_numpy(cut))[0].mean(0).numpy()

    def read(text: str) -> np.ndarray:
        ids = Tokenizer.from_str(tokenizer).encode(text + (" <|endoftext|>" if gpt else "")).ids
        return Padded(clap, length, keys)(torch.tensor([ids]))[0].numpy()

    recipe.goldens(SAMPLE_RATE, hear, read)
    recipe.finish(logit_scale=clap.logit_scale.exp().item())
