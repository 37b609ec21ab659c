//! What the program carries: the manifests of all models that it knows, and some models whole, so that it
//! works offline at once.

/// What is compiled in of one folder of `models/`.
struct Folder {
    name: &'static str,
    /// Name and bytes of each file.
    files: &'static [(&'static str, &'static [u8])],
}

/// `folder!("NAME": "FILE", …)`: files of `models/NAME`; after a semicolon, files that another folder has.
macro_rules! folder {
    ($name:literal: $($file:literal),* $(; $(($path:literal, $bytes:expr)),*)?) => {
        Folder {
            name: $name,
            files: &[
                $(($file, include_bytes!(concat!("../../../models/", $name, "/", $file))),)*
                $($(($path, $bytes),)*)?
            ],
        }
    };
}

/// One graph, whose two outputs serve two models.
static CED_GRAPH: &[u8] = include_bytes!("../../../models/mini/audio.onnx");

/// Known models; those that are there whole come first, and the first of them is the default.
static FOLDERS: &[Folder] = &[
    folder!("mini": "manifest.toml", "text.onnx", "tokenizer.json", "axes.txt"; ("audio.onnx", CED_GRAPH)),
    folder!("ced-tiny": "manifest.toml", "classes.txt"; ("audio.onnx", CED_GRAPH)),
    folder!("yamnet": "manifest.toml", "audio.onnx", "classes.txt"),
    folder!("musicnn": "manifest.toml", "audio.onnx", "classes.txt"),
    folder!("clap-htsat-unfused": "manifest.toml"),
    folder!("clap-htsat-unfused-fp16": "manifest.toml"),
    folder!("clap-htsat-unfused-fp32": "manifest.toml", "export.py", "requirements.txt"),
    folder!("clap-htsat-fused": "manifest.toml", "export.py", "requirements.txt"),
    folder!("larger-clap-general": "manifest.toml", "export.py", "requirements.txt"),
    folder!("larger-clap-general-fp16": "manifest.toml"),
    folder!("larger-clap-general-int8": "manifest.toml"),
    folder!("larger-clap-music-and-speech": "manifest.toml"),
    folder!("msclap-2022": "manifest.toml", "export.py", "requirements.txt"),
    folder!("msclap-2023": "manifest.toml", "export.py", "requirements.txt"),
    folder!("ast-audioset": "manifest.toml", "classes.txt", "export.py", "requirements.txt"),
    folder!("beats": "manifest.toml", "classes.txt", "export.py", "requirements.txt", "mids.txt"),
    folder!("panns-cnn14": "manifest.toml", "classes.txt", "export.py", "requirements.txt"),
    folder!("htsat": "manifest.toml", "classes.txt", "export.py", "requirements.txt"),
    folder!("eat": "manifest.toml", "classes.txt", "export.py", "requirements.txt"),
    folder!("m2d": "manifest.toml", "classes.txt", "export.py", "requirements.txt", "mids.txt"),
    folder!("whisper-at": "manifest.toml", "classes.txt", "export.py", "requirements.txt"),
    folder!("mert": "manifest.toml", "export.py", "requirements.txt"),
];

/// Modules that the export recipes share, which import them from beside themselves.
static EXPORT_MODULES: &[(&str, &[u8])] = &[
    ("earmark_export.py", include_bytes!("../../../models/export/earmark_export.py")),
    ("laion_clap.py", include_bytes!("../../../models/export/laion_clap.py")),
    ("ms_clap.py", include_bytes!("../../../models/export/ms_clap.py")),
];

/// Names of the known models; the first is the default.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FOLDERS.iter().map(|folder| folder.name)
}

/// What is compiled in of a model: names and bytes of files.
pub(crate) fn files(model: &str) -> &'static [(&'static str, &'static [u8])] {
    FOLDERS.iter().find(|folder| folder.name == model).map_or(&[], |folder| folder.files)
}

/// Names and bytes of the modules that export recipes share.
pub(crate) fn export_modules() -> &'static [(&'static str, &'static [u8])] {
    EXPORT_MODULES
}

/// A file of a known model, if it is compiled in.
pub(crate) fn read(model: &str, path: &str) -> Option<&'static [u8]> {
    files(model).iter().find(|(name, _)| *name == path).map(|(_, bytes)| *bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExportRecipe, Manifest, ModelFiles};

    #[test]
    fn every_known_manifest_is_sound_and_named_like_its_folder() {
        for name in names() {
            let text = String::from_utf8(read(name, "manifest.toml").unwrap().to_vec()).unwrap();
            let manifest = Manifest::parse(&text, name).unwrap();
            assert_eq!(manifest.id, name);
            for file in &manifest.files {
                let obtainable = read(name, &file.path).is_some()
                    || (manifest.hub.is_some() && file.hub_path.is_some())
                    || manifest.export.is_some();
                assert!(obtainable, "{name}: nobody knows how to get {}", file.path);
            }
            for path in manifest.export.iter().flat_map(ExportRecipe::files) {
                assert!(read(name, path).is_some(), "{name}: {path} is not compiled in");
            }
        }
    }

    #[test]
    fn models_that_are_there_whole_come_first() {
        let whole = |name| {
            let files = ModelFiles::Bundled(name);
            crate::Model::open(files)
                .is_ok_and(|m| m.manifest().files.iter().all(|f| read(name, &f.path).is_some()))
        };
        let state: Vec<bool> = names().map(whole).collect();
        assert!(state[0] && state.is_sorted_by(|a, b| a >= b), "{state:?}");
    }
}
