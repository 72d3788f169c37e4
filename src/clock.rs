//! The time, as tools and servers count it

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch; a clock before it counts as its beginning.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
