//! Calls into crates that panic over bad files and full disks: their panics become values, and stay off the
//! terminal.
//!
//! `earmark-audio` has the same for decoders (`guard.rs`). This crate knows no other of the workspace, so it has
//! its own; the two hooks bear each other, since each passes on what is not its thread's.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// This thread is in a contained call.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `call`; a panic in it, on this thread, is given back as its message.
///
/// What `call` leaves behind must not be trusted after that: a store takes no more writes, a graph is thrown
/// away.
pub(crate) fn contain<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(call));
    QUIET.set(outer);
    result.map_err(|panic| message(panic.as_ref()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()))
        .unwrap_or_else(|| "a panic without a message".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_their_messages() {
        assert_eq!(contain(|| 1), Ok(1));
        let number = 2;
        assert_eq!(contain(|| panic!("number {number}")), Err::<(), _>("number 2".to_string()));
        assert_eq!(contain(|| panic!("text")), Err::<(), _>("text".to_string()));
        assert!(!QUIET.get());
    }
}
