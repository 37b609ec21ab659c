//! A folder of sounds with a text file beside each, `dog.txt` beside `dog.ogg`, whose first line is its caption. Sounds without
//! one are no part of the dataset; they are counted.

use std::path::Path;

use crate::EvalError;

use super::builder::Builder;
use super::{Origin, Task, Truth};

pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    builder.ask(Task::Captions);
    let files = builder.sounds(root)?;
    let mut without = 0_usize;
    for path in files {
        match caption_beside(&path)? {
            Some(caption) => builder.add(path, Truth::Captions(vec![caption]), Origin::default()),
            None => without += 1,
        }
    }
    if without > 0 {
        builder.note(root, format!("{without} sounds have no text file with a caption beside them"));
    }
    Ok(())
}

/// The first line of the text file beside a sound.
///
/// # Errors
/// A text file that is there and cannot be read.
pub(super) fn caption_beside(sound: &Path) -> Result<Option<String>, EvalError> {
    let path = sound.with_extension("txt");
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).map_err(|e| EvalError::io(&path, &e))?;
    let text = String::from_utf8_lossy(&bytes);
    let first = text.trim_start_matches('\u{feff}').lines().map(str::trim).find(|line| !line.is_empty());
    Ok(first.map(str::to_owned))
}
