//! The model that the program carries, so that it works offline at once.

/// Name and bytes of each file of a bundled model.
type Files = &'static [(&'static str, &'static [u8])];

/// Bundled models by name; the first is the default.
static BUNDLED: &[(&str, Files)] = &[(
    "mini",
    &[
        ("manifest.toml", include_bytes!("../../../models/mini/manifest.toml")),
        ("audio.onnx", include_bytes!("../../../models/mini/audio.onnx")),
        ("text.onnx", include_bytes!("../../../models/mini/text.onnx")),
        ("tokenizer.json", include_bytes!("../../../models/mini/tokenizer.json")),
        ("axes.txt", include_bytes!("../../../models/mini/axes.txt")),
    ],
)];

/// Names of the bundled models; the first is the default.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BUNDLED.iter().map(|(name, _)| *name)
}

/// A file of a bundled model.
pub(crate) fn read(model: &str, path: &str) -> Option<&'static [u8]> {
    let (_, files) = BUNDLED.iter().find(|(name, _)| *name == model)?;
    files.iter().find(|(name, _)| *name == path).map(|(_, bytes)| *bytes)
}
