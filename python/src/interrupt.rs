//! Ctrl-C while Rust works without the GIL: Python only notes the signal, and its handler must be called.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// Time between looks. Taking the GIL costs little, but another thread may hold it for 5 ms.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Looks for signals now and then, and keeps the exception that a handler raised.
pub(crate) struct Interrupt {
    looked: Instant,
    raised: Option<PyErr>,
}

impl Interrupt {
    pub(crate) fn new() -> Self {
        Self { looked: Instant::now(), raised: None }
    }

    /// Whether work may go on.
    pub(crate) fn go_on(&mut self) -> bool {
        if self.raised.is_none() && self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            self.raised = Python::attach(|py| py.check_signals()).err();
        }
        self.raised.is_none()
    }

    /// Raises what a handler raised.
    pub(crate) fn check(self) -> PyResult<()> {
        self.raised.map_or(Ok(()), Err)
    }
}
