//! Contains the panics of the decoders we call.
//!
//! A decoder that meets bytes its author did not think of may panic. [`contain`] turns that into a
//! message, and keeps the default hook from spraying the panic over stderr: the hook is wrapped once a
//! process, and stays silent only on a thread that is inside [`contain`]. Panics anywhere else are
//! reported as before.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Marks the thread as contained for as long as it lives, nesting included.
struct Mark(bool);

impl Mark {
    fn set() -> Self {
        Self(CONTAINED.replace(true))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        CONTAINED.set(self.0);
    }
}

fn install_quiet_hook() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if !CONTAINED.try_with(Cell::get).unwrap_or(false) {
                previous(info);
            }
        }));
    });
}

/// Runs `f`; a panic inside it becomes `Err` with the panic's message.
///
/// The caller must not use whatever `f` was mutating after an `Err`.
pub(crate) fn contain<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    install_quiet_hook();
    let _mark = Mark::set();
    catch_unwind(AssertUnwindSafe(f))
        .map_err(|payload| panic_message(&*payload).unwrap_or("a panic without a message").to_owned())
}

/// The message of a panic that was caught, if it has one.
#[must_use]
pub fn panic_message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_message_and_the_mark_is_lifted() {
        assert_eq!(contain(|| 7), Ok(7));
        let panics = |at: u32| -> u32 { panic!("at {at}") };
        assert_eq!(contain(|| panics(3)), Err("at 3".to_owned()));
        assert!(!CONTAINED.get());
    }
}
