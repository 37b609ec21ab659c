//! Whether the list of sets is the one that earmark wrote.
//!
//! Before a new list is written, the note says that the old or the new one may be there; after it, only the new one. So a
//! kill in between leaves a list that is known. Lists from before there was a note are taken as they are.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The note's name.
pub(super) const FILE: &str = "label-sets.known";

/// What is known of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    /// BLAKE3 of the lists that may be there, in hexadecimal; `None`: there is none.
    pub(super) lists: Vec<Option<String>>,
    /// The sets in the newest of them.
    pub(super) names: Vec<String>,
}

/// How a list stands to what is known.
#[derive(Debug, PartialEq)]
pub(super) enum Standing {
    /// Earmark wrote it, or nothing is known.
    Ours,
    /// It is gone, and had these sets.
    Gone(Vec<String>),
    /// It is another than was written.
    Foreign,
}

impl Known {
    /// The note in `dir`. One that cannot be understood counts as none: it only guards the list.
    pub(super) fn read(dir: &Path) -> io::Result<Option<Self>> {
        match fs::read(dir.join(FILE)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// How `list` stands, of which there is none with `None`.
    pub(super) fn standing(known: Option<&Self>, list: Option<&[u8]>) -> Standing {
        match known {
            None => Standing::Ours,
            Some(known) if known.lists.contains(&list.map(hash)) => Standing::Ours,
            Some(known) if list.is_none() => Standing::Gone(known.names.clone()),
            Some(_) => Standing::Foreign,
        }
    }
}

pub(super) fn hash(list: &[u8]) -> String {
    blake3::hash(list).to_hex().to_string()
}
