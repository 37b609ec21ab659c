//! Token ids, against `transformers`' RobertaTokenizerFast.

use earmark_encoder::{EncoderError, Runtime};

use super::tiny::{Tiny, golden_json};

#[test]
fn token_ids_of_awkward_strings_are_those_of_the_reference() {
    let runtime = Runtime::load(None).unwrap();
    let encoder = Tiny::open("tiny-clap").model.text_encoder(&runtime).unwrap();
    let golden = golden_json("tokens.json");
    let strings = golden["strings"].as_array().unwrap();
    assert_eq!(strings.len(), 500);
    let mut blank = 0;
    for entry in strings {
        let text = entry["text"].as_str().unwrap().repeat(entry["times"].as_u64().unwrap() as usize);
        let expected: Vec<i64> =
            entry["ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        match encoder.tokens(&text) {
            Ok(ids) => assert_eq!(ids, expected, "{text:?}"),
            // Blank texts have ids too, but nothing to look for: they are refused before they get there.
            Err(EncoderError::EmptyText) if text.trim().is_empty() => blank += 1,
            Err(e) => panic!("{text:?}: {e}"),
        }
    }
    assert!(blank < 20, "{blank} of the strings are blank");
}
