//! What opening an index for reading and for writing have in common.

use std::path::Path;

use crate::codec::{self, HeaderProblem};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::types::{Header, Identity};
use crate::witness;

/// What a store says of itself; None where it is empty, since its maker was killed.
pub(crate) fn read_header(dir: &Path, store: &Store) -> Result<Option<Header>> {
    let Some(bytes) = store.get(codec::HEADER_KEY)? else {
        return match store.scan(b"")?.next() {
            Some(_) => Err(store.corrupt("it has records but no header")),
            None => Ok(None),
        };
    };
    let header = codec::decode_header(&bytes).map_err(|problem| match problem {
        HeaderProblem::Version(received) => {
            Error::FormatVersion { dir: dir.to_path_buf(), expected: crate::FORMAT_VERSION, received }
        }
        HeaderProblem::Damaged(what) => store.corrupt(what),
    })?;
    Ok(Some(header))
}

/// Refuses an identity other than the header's.
pub(crate) fn check_identity(dir: &Path, header: &Header, identity: &Identity) -> Result<()> {
    if *identity == header.identity {
        return Ok(());
    }
    Err(Error::ModelMismatch {
        dir: dir.to_path_buf(),
        expected: Box::new(header.identity.clone()),
        received: Box::new(identity.clone()),
    })
}

/// The error for a folder without a store, which may have had one.
pub(crate) fn absent(dir: &Path) -> Error {
    match witness::last(dir) {
        Some(commits) => Error::Corrupt {
            dir: dir.to_path_buf(),
            what: format!("the store is gone, which held {commits} batches"),
        },
        None => Error::NotFound { dir: dir.to_path_buf() },
    }
}
