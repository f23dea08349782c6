//! What the shipped files stand on in the targets that replace it. A target takes the modules to
//! its root, where those files look for them.

pub(crate) mod clock;
pub(crate) mod driver;
#[cfg(miri)]
pub(crate) mod replay;
pub(crate) mod span;
pub(crate) mod stage;
pub(crate) mod sync;
pub(crate) mod sys;
pub(crate) mod tasks;
