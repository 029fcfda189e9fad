//! Driving many operations at once: limits, turns, pauses, and handles to wait
//! with.

mod active;
mod builder;
mod handle;
mod machine;
mod start;
mod task;

pub use builder::Builder;
pub use handle::Handle;
pub use start::Start;

mod service;
pub use service::Scheduler;
