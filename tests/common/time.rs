//! Spans of time. None is tight: the machine may be busy.

use std::time::Duration;

pub const NANOSECOND: Duration = Duration::from_nanos(1);
pub const MS: Duration = Duration::from_millis(1);

/// What no test waits for.
pub const HOUR: Duration = Duration::from_secs(3600);

/// How long something may take that has to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long a test waits for what must not happen.
pub const A_WHILE: Duration = Duration::from_millis(60);
