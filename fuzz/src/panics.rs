//! earmark contains the panics of decoders. This makes its own fatal all the same.

use std::backtrace::Backtrace;
use std::collections::BTreeSet;
use std::panic::{Location, set_hook};
use std::sync::{Mutex, Once, PoisonError};

/// Ends the process at a panic of earmark's own code, from now on.
///
/// earmark and libFuzzer set hooks of their own, each once: call this after both.
pub fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        set_hook(Box::new(|info| {
            let place = info.location().map_or_else(String::new, Location::to_string);
            let trace = Backtrace::force_capture();
            if is_ours(&place, &trace) {
                eprintln!("earmark panicked: {info}\n{trace}");
                std::process::abort();
            }
            static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
            let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.insert(place.clone()) {
                eprintln!("contained: a panic at {place}");
            }
        }));
    });
}

/// Whether the panic is in our code, or in the standard library called by it.
fn is_ours(place: &str, trace: &Backtrace) -> bool {
    let ours = |path: &str| path.contains("/crates/") || path.starts_with("crates/") || path.contains("/fuzz/");
    if !place.starts_with("/rustc/") {
        return ours(place) && !place.contains("/registry/");
    }
    // The first line with a place outside the standard library.
    let trace = trace.to_string();
    let mut places = trace.lines().filter_map(|line| line.trim().strip_prefix("at "));
    let first = places.find(|at| !at.contains("/rustc/") && !at.contains("/panics.rs"));
    first.is_some_and(|at| ours(at) && !at.contains("/registry/"))
}
