//! Labels a sound file with words of your own. No index is needed.
//!
//!     cargo run --release --example classify -- clip.wav dog siren rain

use earmark_library::{ClassifyRequest, Files, Label, Library, LibraryOptions, Place};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("expected a sound file, and labels")?;
    let library = Library::open(Place::at("no-index-needed"), LibraryOptions::default())?;
    let request = ClassifyRequest {
        files: vec![file],
        labels: Some(args.map(Label::Word).collect()),
        ..ClassifyRequest::default()
    };
    for result in library.classify(&request, Files::local())?.results {
        match (&result.error, &result.label) {
            (Some(error), _) => println!("{}: {}", result.source, error.detail),
            (None, Some(label)) => println!("{}: {label}", result.source),
            (None, None) => println!("{}: none of these", result.source),
        }
        for score in result.scores {
            println!("  {:.2}  {}", score.probability, score.label);
        }
    }
    Ok(())
}
