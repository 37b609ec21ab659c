//! Requests by the name of their method, in JSON. Files are named by their paths.

use earmark_library::{Error, Files, Library};
use serde::{Deserialize, Serialize};

use crate::errors::{Failure, read};
use crate::interrupt::Interrupt;

/// A request for one clip.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClipRequest {
    id: String,
}

/// A request without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Answers a request. Methods with a result for each sound look for Ctrl-C between results.
pub(crate) fn ask(library: &Library, method: &str, request: &str) -> Result<String, Failure> {
    match method {
        "search" => json(&library.search(&read(request)?, Files::local())?),
        "classify" => {
            let request = read(request)?;
            let classifier = library.classifier(&request)?;
            let results = collect(|each| library.classify_with(&classifier, &request, Files::local(), each))?;
            json(&classifier.answer(results))
        }
        "events" => json(&library.events(&read(request)?, Files::local())?),
        "tag" => {
            let request = read(request)?;
            let results = collect(|each| library.tag_with(&request, Files::local(), each))?;
            json(&library.tag_answer(results)?)
        }
        "describe" => {
            let request = read(request)?;
            let results = collect(|each| library.describe_with(&request, Files::local(), each))?;
            json(&library.describe_answer(results)?)
        }
        "clips" => json(&library.list(&read(request)?)?),
        "clip" => {
            let ClipRequest { id } = read(request)?;
            json(&library.clip(earmark_library::clip_id("id", &id)?)?)
        }
        "info" => {
            let Nothing {} = read(request)?;
            json(&library.info()?)
        }
        _ => Err(Error::field_is("method", format!("there is no method `{method}`")).into()),
    }
}

/// The results of `work`, until Ctrl-C.
fn collect<T>(work: impl FnOnce(&mut dyn FnMut(T) -> bool) -> Result<(), Error>) -> Result<Vec<T>, Failure> {
    let (mut results, mut interrupt) = (Vec::new(), Interrupt::new());
    work(&mut |result| {
        results.push(result);
        interrupt.go_on()
    })?;
    interrupt.check()?;
    Ok(results)
}

/// An answer as text.
pub(crate) fn json<T: Serialize>(answer: &T) -> Result<String, Failure> {
    serde_json::to_string(answer).map_err(|e| Error::field_is("answer", e.to_string()).into())
}
