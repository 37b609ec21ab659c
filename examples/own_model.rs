//! Embeds a text with a model of your own: a folder with a `manifest.toml` (see `models/README.md`).
//!
//!     cargo run --release --example own_model -- path/to/model-folder "rain on a roof"

use earmark_library::{Library, LibraryOptions, Place};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(model), Some(text)) = (args.next(), args.next()) else {
        return Err("expected a model's name or folder, and a text".into());
    };
    let place = Place { model: Some(model), ..Place::at("no-index-needed") };
    let library = Library::open(place, LibraryOptions::default())?;
    for described in library.embed_texts(&[text], &[])? {
        let vector = described.vector.as_slice();
        println!(
            "{} numbers from {} tokens: {:?} …",
            vector.len(),
            described.tokens,
            &vector[..4.min(vector.len())]
        );
    }
    Ok(())
}
