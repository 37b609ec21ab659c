//! One vocabulary of requests and answers: what can be asked of a library of sounds, and what comes back. The
//! command line, the HTTP API, the Python package and the MCP server parse into these types and print them,
//! so that a request means the same everywhere, and an answer has the same fields.
//!
//! ```no_run
//! use earmark_library::{Files, Library, LibraryOptions, Place, QueryPart, SearchRequest};
//!
//! # fn main() -> Result<(), earmark_library::Error> {
//! let library = Library::open(Place::at("sounds.earmark"), LibraryOptions::default())?;
//! let query = vec![QueryPart::text("a heavy wooden door creaks")];
//! let answer = library.search(&SearchRequest { query, ..SearchRequest::default() }, Files::local())?;
//! for hit in answer.hits {
//!     println!("{:.2}  {} at {} s", hit.score, hit.clip.path, hit.start_s);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - [`Library`] (`library`): an index, its model and what is kept ready between requests
//! - [`Location`] (`location`): a folder or a database, and the index there, read and written
//! - `place`, `home`, `settings`: which index and model, where things are kept, how models are run
//! - `search`, `classify`, `events`, `tag`, `describe`, `duplicates`, `clips`, `labels`, `info`, `vectors`,
//!   `indexing`: a request, its answer and how the one becomes the other
//! - `samples`: sounds that a program holds as samples
//! - `filter`, `sounds`, `words`: what several requests and answers share
//! - [`Texts`] (`texts`): the desk where all threads have texts encoded
//! - [`index_shared`] (`workers`): indexing by many machines through a queue in the database
//! - [`Error`] (`error`): a kind for programs, the field at fault, and words for people

mod classify;
mod clips;
mod describe;
mod duplicates;
mod error;
mod events;
mod filter;
mod home;
mod indexing;
mod info;
mod labels;
mod library;
mod location;
mod place;
mod samples;
mod search;
mod settings;
mod sounds;
mod spaces;
mod tag;
mod texts;
mod vectors;
mod words;
mod workers;

pub use classify::{Classified, Classifier, ClassifyAnswer, ClassifyRequest, LabelScore, Pooling};
pub use clips::{Clip, ClipPage, Failure, FailurePage, ListRequest, Sort};
pub use describe::{DescribeAnswer, DescribeRequest, Described, HeardEvent, Level, Silence, SilentStretch};
pub use duplicates::{
    Duplicate, DuplicateGroup, DuplicatesAnswer, DuplicatesProgress, DuplicatesRequest, DuplicatesStage,
    KeepBy, Relation, Uncompared,
};
pub use error::{Error, Kind, Result};
pub use events::{Event, EventsAnswer, EventsRequest, Tracks};
pub use filter::{Filter, check_tags, number, parse_format, parse_seconds, parse_since, parse_tag};
pub use home::{catalogue, data_folder, graph_cache, model_folders, parse_root};
pub use indexing::{IndexProgress, IndexReport, IndexRequest, PruneRefused};
pub use info::{Graph, GraphFigures, Info, Method};
pub use labels::{Adapted, Fitted, Label, LabelSetContent, LabelWithPrompts, Labels, NamedLabelSet};
pub use library::{Access, ClipFiles, Files, Library, LibraryOptions, Limits};
pub use location::{Live, Location, Reader, Writer, Writing};
pub use place::{Chosen, LABEL_SETS, Place, check_free, model_of};
pub use samples::Samples;
pub use search::{By, Hit, HitOrder, Mode, Query, QueryPart, Reason, SearchAnswer, SearchRequest, Share};
pub use settings::Settings;
pub use spaces::{Spaces, SpacesInDatabase};
pub use tag::{TagAnswer, TagRequest, TagScore, Tagged, TaggedWindow};
pub use texts::{BATCH, DescribedText, Texts};
pub use vectors::Vectors;
pub use words::{
    FileRemarks, KnownText, SoundError, Stretch, VERSION, Version, bounded, clip_id, cursor, moment, offset,
};
pub use workers::index_shared;

pub use earmark_postgres::{JobBoard, PostedJob};
