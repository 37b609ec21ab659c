//! AudioCaps (Kim et al., 2019): `train.csv`, `val.csv` and `test.csv`, here or in `dataset`, with
//! `audiocap_id,youtube_id,start_time,caption`: in the test and validation splits five rows a clip. Clips are ten seconds
//! long, and named by their YouTube id as in AudioSet, or by one of their `audiocap_id`s, in any folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::EvalError;

use super::audioset::youtube_names;
use super::builder::Builder;
use super::files::Files;
use super::table::{Table, cell};
use super::{Origin, Task, Truth};

/// Length of a clip, seconds.
const CLIP_S: f64 = 10.0;

const SPLITS: [&str; 3] = ["test", "val", "train"];

/// The tables that are there, with their splits: those with a column `audiocap_id`.
pub(super) fn tables(root: &Path) -> Result<Vec<(&'static str, Table)>, EvalError> {
    let mut tables = Vec::new();
    for split in SPLITS {
        let name = format!("{split}.csv");
        let place =
            [root.join(&name), root.join("dataset").join(&name)].into_iter().find(|path| path.is_file());
        let Some(path) = place else { continue };
        let table = Table::read(&path)?;
        if table.find(&["audiocap_id"]).is_some() {
            tables.push((split, table));
        }
    }
    Ok(tables)
}

struct Captioned {
    name: String,
    found: Option<PathBuf>,
    captions: Vec<String>,
}

pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    builder.ask(Task::Captions);
    builder.default_split("test");
    let files = Files::under(root)?;
    for (split, table) in tables(root)? {
        if !builder.takes(split) {
            continue;
        }
        let (number, id) = (table.column(&["audiocap_id"])?, table.column(&["youtube_id"])?);
        let (start, caption) = (table.column(&["start_time"])?, table.column(&["caption"])?);
        let mut clips: Vec<Captioned> = Vec::new();
        let mut places: HashMap<(String, String), usize> = HashMap::new();
        for (line, row) in &table.rows {
            let (id, start) = (cell(row, id), cell(row, start));
            let Ok(start_s) = start.parse::<f64>() else {
                builder
                    .problem(table.row_name(*line), format!("start_time: expected seconds, got `{start}`"));
                continue;
            };
            let place = *places.entry((id.to_owned(), start.to_owned())).or_insert_with(|| {
                clips.push(Captioned { name: format!("{id}_{start}"), found: None, captions: Vec::new() });
                clips.len() - 1
            });
            let clip = &mut clips[place];
            clip.captions.push(cell(row, caption).to_owned());
            if clip.found.is_none() {
                let mut names = youtube_names(id, start_s, start_s + CLIP_S);
                names.push(cell(row, number).to_owned());
                clip.found = names.iter().find_map(|name| files.get(name)).map(Path::to_path_buf);
            }
        }
        for clip in clips {
            builder.add_found(
                clip.found.as_deref(),
                &clip.name,
                Truth::Captions(clip.captions),
                Origin::default(),
            );
        }
    }
    Ok(())
}
