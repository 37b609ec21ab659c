//! Everything that can go wrong in the index. Messages say what is wrong; what to do about it depends on who
//! asked, and is said there by variant.

use std::io;
use std::path::{Path, PathBuf};

use crate::holder::Holder;
use crate::types::{ClipId, Identity};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an index operation can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process (or another `Writer` in this one) writes the index.
    #[error(
        "the index at {} is being written by {}",
        .dir.display(), by(.holder.as_deref())
    )]
    Locked {
        /// The index folder.
        dir: PathBuf,
        /// The process that writes, where it says who it is.
        holder: Option<Box<Holder>>,
    },

    /// There are no published files to read, and this process may not make them.
    #[error(
        "the index at {} has no files that can be read without writing there (an earlier earmark wrote it)",
        .dir.display()
    )]
    Unpublished {
        /// The index folder.
        dir: PathBuf,
    },

    /// A published file is damaged or missing. The store, which it was made from, may be whole.
    #[error("{} is damaged: {what}", .path.display())]
    Published {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },

    /// A published file has a layout that this version does not read.
    #[error(
        "{} has version {received}, this earmark reads version {expected}",
        .path.display()
    )]
    PublishedVersion {
        /// The file.
        path: PathBuf,
        /// The version that this crate reads and writes.
        expected: u32,
        /// The version found.
        received: u32,
    },

    /// The text side (names, tags, metadata) cannot be read. It is made again when the index is written.
    #[error("names cannot be searched in the index at {}: {what}", .dir.display())]
    Names {
        /// The index folder.
        dir: PathBuf,
        /// What was found.
        what: String,
    },

    /// Another process builds graphs for this index.
    #[error("another process is building a graph for the index at {}; let it finish, or stop it", .dir.display())]
    GraphLocked {
        /// The index folder.
        dir: PathBuf,
    },

    /// A graph could not be built. Nothing else is touched by that.
    #[error("no graph could be built in {}: {what}; searches are right without one", .dir.display())]
    Graph {
        /// The folder that it was built in.
        dir: PathBuf,
        /// What happened.
        what: String,
    },

    /// The machine's clock is before 1970, which sled cannot handle.
    #[error("the clock of this machine is before 1970; set it, then try again")]
    Clock,

    /// The index was made by another model or pipeline than the one in use.
    #[error(
        "the index at {} was made with {expected}, but this run uses {received}",
        .dir.display()
    )]
    ModelMismatch {
        /// The index folder.
        dir: PathBuf,
        /// What the index holds.
        expected: Box<Identity>,
        /// What the caller brought.
        received: Box<Identity>,
    },

    /// The index was written by another version of earmark, in a layout that this one does not read.
    #[error(
        "the index at {} has format version {received}, this earmark reads version {expected}; use the earmark that \
         wrote it, or index the sounds again into a new folder",
        .dir.display()
    )]
    FormatVersion {
        /// The index folder.
        dir: PathBuf,
        /// The version that this crate reads and writes.
        expected: u32,
        /// The version found.
        received: u32,
    },

    /// The store itself (not a file derived from it) is damaged.
    #[error(
        "the store of the index at {} is damaged: {what}; what is published can still be searched",
        .dir.display()
    )]
    Corrupt {
        /// The index folder.
        dir: PathBuf,
        /// What was found.
        what: String,
    },

    /// The tables of a database are of an earlier version of earmark, and can be brought to this one.
    #[error("the tables at {place} are of version {received}, this earmark needs version {expected}")]
    OldTables {
        /// Server, port and database.
        place: String,
        /// The version of this earmark.
        expected: u32,
        /// The version of the tables.
        received: u32,
    },

    /// There is no index in the folder.
    #[error("there is no index at {}", .dir.display())]
    NotFound {
        /// The folder that was searched.
        dir: PathBuf,
    },

    /// The collection has no space of this name, or of this model.
    #[error(
        "the index at {} has no vectors of `{wanted}`, only of: {}",
        .dir.display(), .known.join(", ")
    )]
    UnknownSpace {
        /// The collection's folder.
        dir: PathBuf,
        /// The name asked for.
        wanted: String,
        /// The spaces there are.
        known: Vec<String>,
    },

    /// Several versions of the model have a space.
    #[error("the index at {} has several spaces of `{wanted}`; name one of them: {}", .dir.display(), .known.join(", "))]
    AmbiguousSpace {
        /// The collection's folder.
        dir: PathBuf,
        /// The model asked for.
        wanted: String,
        /// Its spaces.
        known: Vec<String>,
    },

    /// There are spaces, and it cannot be told which is current.
    #[error(
        "the index at {} {}; there are: {}",
        .dir.display(), no_current(.gone.as_deref()), .known.join(", ")
    )]
    NoCurrentSpace {
        /// The collection's folder.
        dir: PathBuf,
        /// The space that was current and is gone, where that is why.
        gone: Option<String>,
        /// The spaces there are.
        known: Vec<String>,
    },

    /// The current space cannot be dropped.
    #[error(
        "`{name}` is the current space of the index at {}, which cannot be dropped",
        .dir.display()
    )]
    CurrentSpace {
        /// The collection's folder.
        dir: PathBuf,
        /// The space.
        name: String,
    },

    /// An index from before there were spaces lies beside a space of the same model.
    #[error(
        "the folder {} holds an index of the old layout and, in {}, one of the same model; move one of them away",
        .dir.display(), .space.display()
    )]
    TwoStores {
        /// The collection's folder, which the old index lies in.
        dir: PathBuf,
        /// The space.
        space: PathBuf,
    },

    /// A write was asked of an index that is open for reading, or lies in a folder that cannot be written.
    #[error("the index at {} is read-only; copy it to a folder that can be written to change it", .dir.display())]
    ReadOnly {
        /// The index folder.
        dir: PathBuf,
    },

    /// The disk or quota is full. The batch was not acknowledged; earlier batches are safe.
    #[error(
        "no space left for the index at {}; free some space and run the job again (everything acknowledged is kept)",
        .dir.display()
    )]
    DiskFull {
        /// The index folder.
        dir: PathBuf,
    },

    /// The operating system refused a read or a write.
    #[error("{}: {source}", .path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// An earlier write failed, so that this handle accepts no more of them. Reopen the index.
    #[error("the index at {} stopped accepting writes after an earlier failure: {reason}; open it again", .dir.display())]
    Failed {
        /// The index folder.
        dir: PathBuf,
        /// The earlier failure.
        reason: String,
    },

    /// A database on another machine cannot be reached, or did not do what it was asked to.
    #[error("the database {place}: {what}")]
    Database {
        /// The server and the database, without credentials.
        place: String,
        /// What it or the network said.
        what: String,
    },

    /// A folder cannot be a root of a database.
    #[error("root `{name}`: {reason}")]
    Root {
        /// Its name.
        name: String,
        /// Why not.
        reason: String,
    },

    /// A vector has the wrong number of elements.
    #[error("a vector has {received} elements, this index holds vectors of {expected}")]
    DimMismatch {
        /// The index's dimension.
        expected: usize,
        /// The vector's length.
        received: usize,
    },

    /// A vector is not of unit length (within [`crate::UNIT_TOLERANCE`]).
    #[error("a vector has length {norm}, expected 1")]
    NotUnit {
        /// The vector's Euclidean length.
        norm: f32,
    },

    /// A vector holds a NaN or an infinity.
    #[error("a vector holds a NaN or an infinite value")]
    NonFinite,

    /// A segment's times are not finite, negative, or run backwards.
    #[error("a segment runs from {start_s} s to {end_s} s")]
    BadSegment {
        /// Its start, seconds.
        start_s: f64,
        /// Its end, seconds.
        end_s: f64,
    },

    /// A filter cannot be understood.
    #[error("bad filter `{pattern}`: {reason}")]
    BadFilter {
        /// The filter as given.
        pattern: String,
        /// Why it was refused.
        reason: String,
    },

    /// No clip has this id.
    #[error("the index holds no clip with id {id}")]
    UnknownClip {
        /// The id asked for.
        id: ClipId,
    },

    /// The record grew past what a key or a counter can hold.
    #[error("limit exceeded: {what}")]
    Limit {
        /// Which limit.
        what: String,
    },
}

impl Error {
    /// Wraps an I/O error met at `path`, telling a full disk and a read-only file system apart from the rest.
    pub(crate) fn io(dir: &Path, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::DiskFull { dir: dir.to_path_buf() }
            }
            io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnly { dir: dir.to_path_buf() },
            _ => Error::Io { path: path.to_path_buf(), source },
        }
    }

    /// Whether a folder that cannot be written lies behind this error.
    pub(crate) fn is_not_writable(&self) -> bool {
        match self {
            Error::ReadOnly { .. } => true,
            Error::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
            }
            _ => false,
        }
    }
}

/// The error for a published file that is not as it was written.
pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Error {
    Error::Published { path: path.to_path_buf(), what: what.into() }
}

fn by(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another process".to_owned(), ToString::to_string)
}

fn no_current(gone: Option<&str>) -> String {
    match gone {
        Some(name) => format!("has lost its current space `{name}`"),
        None => "does not say which of its spaces is current".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_told_apart() {
        let of =
            |kind: io::ErrorKind| Error::io(Path::new("/index"), Path::new("/index/store/db"), kind.into());
        assert!(matches!(of(io::ErrorKind::StorageFull), Error::DiskFull { .. }));
        assert!(matches!(of(io::ErrorKind::QuotaExceeded), Error::DiskFull { .. }));
        assert!(matches!(of(io::ErrorKind::ReadOnlyFilesystem), Error::ReadOnly { .. }));
        let denied = of(io::ErrorKind::PermissionDenied);
        assert!(denied.is_not_writable() && !of(io::ErrorKind::NotFound).is_not_writable());
        let told = denied.to_string();
        assert!(told.contains("/index/store/db") && told.contains("permission denied"), "{told}");
    }
}
