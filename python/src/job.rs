//! Long work. It is done on a thread of its own; the caller's thread looks for Ctrl-C and calls the callback.
//! Either may stop the work, which then finishes what is begun.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;

use earmark_library::{DuplicatesAnswer, DuplicatesRequest, Error, IndexReport, IndexRequest, Library};
use pyo3::prelude::*;
use serde::Serialize;

use crate::ask::json;
use crate::errors::Failure;
use crate::interrupt::{Interrupt, LOOK_EVERY};

/// Calls that may wait for a slow callback; then the work waits too.
const AHEAD: usize = 64;

/// Indexes, and calls `progress` with the JSON of [`earmark_library::IndexProgress`].
pub(crate) fn index(
    library: &Library,
    request: &IndexRequest,
    progress: Option<&Py<PyAny>>,
) -> Result<IndexReport, Failure> {
    watched(progress, |stop, tell| library.index_files(request, stop, &mut |so_far| tell(so_far.clone())))
}

/// Finds duplicates, and calls `progress` with the JSON of [`earmark_library::DuplicatesProgress`].
pub(crate) fn duplicates(
    library: &Library,
    request: &DuplicatesRequest,
    progress: Option<&Py<PyAny>>,
) -> Result<DuplicatesAnswer, Failure> {
    watched(progress, |stop, tell| library.duplicates_with(request, stop, tell))
}

/// Does `work`, which stops when the flag is set, and calls `progress` with the JSON of what it tells.
fn watched<P: Serialize + Send, R: Send>(
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&AtomicBool, &mut dyn FnMut(P)) -> Result<R, Error> + Send,
) -> Result<R, Failure> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<P>(AHEAD);
        let stop = &stop;
        let work = scope.spawn(move || {
            work(stop, &mut |so_far| {
                if progress.is_some() {
                    // It is received to the end, whatever happens there.
                    let _ = sender.send(so_far);
                }
            })
        });
        let mut interrupt = Interrupt::new();
        let mut raised = None;
        while !work.is_finished() {
            match receiver.recv_timeout(LOOK_EVERY) {
                Ok(so_far) if raised.is_none() => raised = call(progress, &so_far).err(),
                // The sender may be gone a moment before the thread is.
                Err(RecvTimeoutError::Disconnected) => thread::yield_now(),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
            if !interrupt.go_on() || raised.is_some() {
                stop.store(true, Ordering::Relaxed);
            }
        }
        let mut rest = receiver.try_iter().take_while(|_| raised.is_none());
        let called = rest.try_for_each(|so_far| call(progress, &so_far));
        let done = work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        interrupt.check()?;
        raised.map_or(Ok(()), Err)?;
        called?;
        Ok(done?)
    })
}

fn call<P: Serialize>(progress: Option<&Py<PyAny>>, so_far: &P) -> Result<(), Failure> {
    let Some(progress) = progress else { return Ok(()) };
    let json = json(so_far)?;
    Python::attach(|py| progress.call1(py, (json,)).map(drop)).map_err(Failure::from)
}
