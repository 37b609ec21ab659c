//! Models as other programs keep them: recognised, and usable after a recipe converted them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use crate::error::Recipe;
use crate::{EncoderError, bundled};

/// What is at `path`, as the error of using it, with the recipe that converts it; `None` where it is
/// nothing that is known.
#[must_use]
pub fn recognise(path: &Path) -> Option<EncoderError> {
    let (what, recipe) = if path.is_dir() { transformers(path)? } else { checkpoint(path)? };
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let recipe = recipe.map(|model| Recipe { model: model.to_owned(), name: own_name(path) });
    Some(EncoderError::Foreign { path: shown, what, recipe })
}

/// A folder that transformers saved: a configuration, and weights.
fn transformers(folder: &Path) -> Option<(String, Option<&'static str>)> {
    let config: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json")).ok()?).ok()?;
    let weights = |name: std::ffi::OsString| {
        Path::new(&name).extension().is_some_and(|ext| ext == "safetensors" || ext == "bin" || ext == "pt")
    };
    std::fs::read_dir(folder).ok()?.flatten().any(|entry| weights(entry.file_name())).then_some(())?;
    let kind = config["model_type"].as_str()?;
    let what = format!("a model of type `{kind}` as transformers saves it");
    let audio = &config["audio_config"];
    let recipe = match kind {
        "clap" if audio["enable_fusion"].as_bool() == Some(true) => Some("clap-htsat-fused"),
        // HTSAT-base's width; the smaller one's is 96.
        "clap" if audio["patch_embeds_hidden_size"].as_u64() == Some(128) => Some("larger-clap-general"),
        "clap" => Some("clap-htsat-unfused-fp32"),
        "audio-spectrogram-transformer" => Some("ast-audioset"),
        _ => None,
    };
    Some((what, recipe))
}

const MICROSOFT: &str = "a checkpoint of torch, as Microsoft publishes its CLAP";

/// A file that torch saved. Which architecture it has, its name says; the recipe looks inside.
fn checkpoint(path: &Path) -> Option<(String, Option<&'static str>)> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if !["pt", "pth", "ckpt"].contains(&extension.as_str()) {
        return None;
    }
    let mut head = [0; 2];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    // A zip archive, or a pickle of protocol 2 or later.
    if head != *b"PK" && head[0] != 0x80 {
        return None;
    }
    let name = path.file_stem()?.to_str()?.to_ascii_lowercase();
    let microsoft = |year: &str| name.contains("clap_weights") && name.contains(year);
    let recipe = match &name {
        _ if microsoft("2022") => return Some((MICROSOFT.to_owned(), Some("msclap-2022"))),
        _ if microsoft("2023") => return Some((MICROSOFT.to_owned(), Some("msclap-2023"))),
        name if name.contains("fusion") => "clap-htsat-fused",
        name if name.contains("music") || name.contains("base") => "larger-clap-general",
        _ => "clap-htsat-unfused-fp32",
    };
    Some(("a checkpoint of torch, as LAION publishes its CLAP".to_owned(), Some(recipe)))
}

/// A name for a model of the user's own, after the file's or the folder's.
fn own_name(path: &Path) -> String {
    let stem =
        path.canonicalize().ok().and_then(|path| Some(path.file_stem()?.to_str()?.to_ascii_lowercase()));
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '-' };
    let name: String = stem.unwrap_or_default().chars().map(plain).collect();
    let name = name.trim_matches(|c| "-._".contains(c));
    match name {
        "" => "my-clap".to_owned(),
        known if bundled::names().any(|name| name == known) => format!("my-{known}"),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it is, and the recipe with the new name.
    fn said(path: &Path) -> String {
        let Some(e) = recognise(path) else { return String::new() };
        match &e {
            EncoderError::Foreign { recipe: Some(Recipe { model, name }), .. } => {
                format!("{e}; {model} as {name}")
            }
            e => e.to_string(),
        }
    }

    #[test]
    fn a_folder_of_transformers_names_the_recipe_that_fits() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("My CLAP");
        std::fs::create_dir(&folder).unwrap();
        let config = |text: &str| std::fs::write(folder.join("config.json"), text).unwrap();
        config("{\"model_type\": \"clap\", \"audio_config\": {}}");
        assert_eq!(said(&folder), "", "without weights it is no model");
        std::fs::write(folder.join("model.safetensors"), "").unwrap();
        let cases = [
            ("{\"model_type\": \"clap\", \"audio_config\": {}}", "clap-htsat-unfused-fp32 as my-clap"),
            (
                "{\"model_type\": \"clap\", \"audio_config\": {\"enable_fusion\": true}}",
                "clap-htsat-fused as",
            ),
            (
                "{\"model_type\": \"clap\", \"audio_config\": {\"patch_embeds_hidden_size\": 128}}",
                "larger-clap-general as",
            ),
            ("{\"model_type\": \"audio-spectrogram-transformer\"}", "ast-audioset as"),
            ("{\"model_type\": \"bert\"}", "`bert`"),
        ];
        for (text, expected) in cases {
            config(text);
            assert!(said(&folder).contains(expected), "{text}: {}", said(&folder));
            assert!(said(&folder).contains("My CLAP"), "{}", said(&folder));
        }
        // A name that is taken is not offered.
        let taken = dir.path().join("clap-htsat-unfused");
        std::fs::rename(&folder, &taken).unwrap();
        std::fs::write(taken.join("config.json"), "{\"model_type\": \"clap\"}").unwrap();
        assert!(said(&taken).ends_with("as my-clap-htsat-unfused"), "{}", said(&taken));
        std::fs::rename(&taken, &folder).unwrap();
        config("no JSON");
        assert_eq!(said(&folder), "");
    }

    #[test]
    fn a_checkpoint_of_laion_names_the_recipe_that_its_name_says() {
        let dir = tempfile::tempdir().unwrap();
        let cases = [
            ("630k-audioset-best.pt", "clap-htsat-unfused-fp32"),
            ("630k-audioset-fusion-best.pt", "clap-htsat-fused"),
            ("music_audioset_epoch_15_esc_90.14.pt", "larger-clap-general"),
            ("CLAP_weights_2023.pth", "msclap-2023"),
        ];
        for (name, recipe) in cases {
            let path = dir.path().join(name);
            std::fs::write(&path, b"PK\x03\x04").unwrap();
            assert!(said(&path).contains(&format!("; {recipe} as")), "{}", said(&path));
        }
        let text = dir.path().join("notes.pt");
        std::fs::write(&text, "just text").unwrap();
        assert_eq!(said(&text), "");
        assert_eq!(said(&dir.path().join("gone.pt")), "");
    }
}
