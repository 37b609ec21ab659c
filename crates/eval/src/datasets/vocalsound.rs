//! VocalSound (Gong et al., 2022): `audio_16k/f0003_0_cough.wav`, where the last part is the class; the splits in
//! `datafiles/te.json`, `val.json` and `tr.json` (`{"data": [{"wav": …, "labels": …}]}`).

use std::path::Path;

use serde::Deserialize;

use crate::EvalError;

use super::builder::Builder;
use super::files::{Files, file_name, stem};
use super::{Origin, Task, Truth};

#[derive(Deserialize)]
struct DataFile {
    data: Vec<Recording>,
}

#[derive(Deserialize)]
struct Recording {
    /// A path on the machine where the file was made; only its last part means anything here.
    wav: String,
}

const SPLITS: [(&str, &str); 3] = [("te", "test"), ("val", "validation"), ("tr", "train")];

pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    let folder =
        ["audio_16k", "audio_44k"].map(|name| root.join(name)).into_iter().find(|folder| folder.is_dir());
    let folder = folder.ok_or_else(|| {
        EvalError::dataset(root, "expected a folder `audio_16k` or `audio_44k`, got neither")
    })?;
    let files = Files::under(&folder)?;
    builder.ask(Task::SingleLabel);
    builder.default_split("test");
    for (short, split) in SPLITS {
        let path = root.join("datafiles").join(format!("{short}.json"));
        if !path.is_file() || !builder.takes(split) {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|e| EvalError::io(&path, &e))?;
        let listed: DataFile = serde_json::from_slice(&bytes).map_err(|e| {
            EvalError::dataset(&path, format!("expected {{\"data\": [{{\"wav\": …}}]}}: {e}"))
        })?;
        for recording in listed.data {
            // Paths made on Windows too.
            let name = recording.wav.rsplit(['/', '\\']).next().unwrap_or_default();
            add(builder, files.get(name), name);
        }
    }
    Ok(())
}

fn add(builder: &mut Builder, found: Option<&Path>, name: &str) {
    let path = Path::new(name);
    let Some((_, sound)) = stem(path).rsplit_once('_') else {
        builder.problem(name.to_owned(), "expected a name such as f0003_0_cough.wav");
        return;
    };
    let text = if sound == "throatclearing" { "throat clearing" } else { sound };
    let class = builder.class_called(sound, text);
    builder.add_found(found, file_name(path), Truth::Labels(vec![class]), Origin::default());
}
