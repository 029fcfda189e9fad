//! The steps that lead forward.

mod ask;
mod moving;
mod post;
mod publish;
mod record;
mod resolve;

pub(super) use ask::Ask;
pub(super) use moving::Move;
pub(super) use post::Post;
pub(super) use publish::Publish;
pub(super) use record::Record;
pub(super) use resolve::Resolve;
