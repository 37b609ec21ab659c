//! What time it is.

use std::time::{SystemTime, UNIX_EPOCH};

/// The machine's clock. With debug assertions, as in tests, `EARMARK_CLOCK` sets it, in seconds since 1970.
pub(crate) fn now() -> SystemTime {
    #[cfg(debug_assertions)]
    if let Some(seconds) = std::env::var("EARMARK_CLOCK").ok().and_then(|text| text.parse::<i64>().ok()) {
        let distance = std::time::Duration::from_secs(seconds.unsigned_abs());
        return if seconds < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance };
    }
    SystemTime::now()
}

/// Now, seconds since 1970.
#[must_use]
pub fn unix_now_s() -> i64 {
    now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
