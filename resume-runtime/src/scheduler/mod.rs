//! Driving many operations at once: limits, turns, pauses, and handles to wait
//! with.

mod active;
mod builder;
mod handle;
mod machine;
mod service;
mod start;
mod task;

pub use builder::Builder;
pub use handle::Handle;
pub use service::Scheduler;
pub use start::Start;
