//! Indexes a folder of sounds and searches it by words.
//!
//!     cargo run --release --example index_and_search -- index-data/sounds "a dog barking"

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use earmark_engine::ingest::{IngestOptions, ingest};
use earmark_engine::{WalkOptions, walk};
use earmark_index::OpenOptions;
use earmark_library::{Access, Files, Library, LibraryOptions, Place, QueryPart, SearchRequest};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(words)) = (args.next(), args.next()) else {
        return Err("expected a folder of sounds and what to search for".into());
    };

    // A space for the bundled model's vectors, made if it is not there.
    let place = Place::at(std::env::temp_dir().join("example.earmark"));
    drop(place.choose_or_make(&OpenOptions::default())?);
    let options = LibraryOptions { access: Access::Live, ..LibraryOptions::default() };
    let library = Library::open(place, options)?;

    // Files that are in the index and have not changed are skipped.
    let walked = walk(&[PathBuf::from(folder)], &WalkOptions::default())?;
    let (engine, never) = (library.engine()?, AtomicBool::new(false));
    {
        let writer = library.live()?.write()?;
        let report = ingest(&engine, &*writer, walked, &IngestOptions::default(), &never, |_| {})?;
        println!("{} added, {} unchanged, {} failed", report.added, report.unchanged, report.failed.len());
    }

    let request = SearchRequest { query: vec![QueryPart::text(words)], k: 5, ..SearchRequest::default() };
    for hit in library.search(&request, Files::local())?.hits {
        println!("{:.2}  {:6.1} s  {}", hit.score, hit.start_s, hit.clip.path);
    }
    Ok(())
}
