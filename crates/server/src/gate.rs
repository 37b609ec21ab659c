//! Who may work: so many at once on threads of their own, so many waiting, and nobody else.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::{ApiError, ApiResult};

/// A bounded pool for blocking work with a bounded queue.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    what: &'static str,
    /// Those who work.
    working: Arc<Semaphore>,
    /// Those who work or wait.
    admitted: Arc<Semaphore>,
    places: usize,
}

impl Gate {
    pub(crate) fn new(what: &'static str, concurrency: usize, queue: usize) -> Self {
        let (working, places) = (concurrency.max(1), concurrency.max(1) + queue);
        let semaphore = |n: usize| Arc::new(Semaphore::new(n.min(Semaphore::MAX_PERMITS)));
        Self { what, working: semaphore(working), admitted: semaphore(places), places }
    }

    /// Runs `work` on a thread that may block. Once it runs it runs to its end, and keeps its place until then, even if
    /// the client is gone: there are never more at work than the gate admits.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> ApiResult<T> + Send + 'static,
    ) -> ApiResult<T> {
        let Ok(place) = Arc::clone(&self.admitted).try_acquire_owned() else {
            return Err(ApiError::busy(&format!("the queue for {} is full; try again soon", self.what), 1));
        };
        let permit = Arc::clone(&self.working).acquire_owned().await.map_err(ApiError::internal)?;
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let result = span.in_scope(work);
            drop((permit, place));
            result
        });
        task.await.map_err(ApiError::internal)?
    }

    /// How many work or wait now.
    pub(crate) fn load(&self) -> usize {
        self.places - self.admitted.available_permits()
    }
}
