//! Places where a test can have the process die: the steps of a commit.

/// A commit has come to the step called `name`. With debug assertions, as in tests, and `EARMARK_DIE_AT`
/// naming the step and a number (`list:3`), the process ends at once when it comes there for that time;
/// nothing is cleaned up.
pub(crate) fn reached(name: &str) {
    #[cfg(debug_assertions)]
    {
        use std::sync::OnceLock;
        use std::sync::atomic::{AtomicU64, Ordering};

        static DIE_AT: OnceLock<Option<(String, u64)>> = OnceLock::new();
        static TIMES: AtomicU64 = AtomicU64::new(0);
        let die_at = DIE_AT.get_or_init(|| {
            let value = std::env::var("EARMARK_DIE_AT").ok()?;
            let (name, times) = value.split_once(':')?;
            Some((name.to_owned(), times.parse().ok()?))
        });
        if let Some((step, times)) = die_at
            && step == name
            && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *times
        {
            std::process::abort();
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
