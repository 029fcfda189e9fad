//! What is planned and written here is compared with what git itself leaves.

mod clone;
mod fetch;
pub(in crate::transfer) mod fixture;
