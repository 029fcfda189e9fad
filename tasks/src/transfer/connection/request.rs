//! What is asked for.

use gix_hash::ObjectId;

use crate::transfer::missing::plan::Filter;

/// A request for a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The objects to send, with all that they refer to.
    pub wants: Vec<ObjectId>,
    /// What is to be left out with all that it refers to. What is not here of that has to be known,
    /// and asked for by itself: the server takes all of it to be here.
    pub haves: Vec<ObjectId>,
    /// Where the history here is cut off.
    pub shallow: Vec<ObjectId>,
    /// How many commits of history to send.
    pub depth: Option<u32>,
    /// What to leave out, in the words of `--filter`.
    pub filter: Option<String>,
    /// Send the tags that point into the pack, too.
    pub include_tag: bool,
    /// The pack may have deltas against objects that are here already.
    pub thin: bool,
}

impl Request {
    /// For these objects, and nothing special.
    pub fn new(wants: Vec<ObjectId>) -> Self {
        Self {
            wants,
            ..Self::default()
        }
    }

    /// With this left out.
    pub fn with_filter(mut self, filter: Option<Filter>) -> Self {
        self.filter = filter.map(|filter| {
            let words = match filter {
                Filter::BlobNone => "blob:none",
                Filter::TreeZero => "tree:0",
            };
            words.to_owned()
        });
        self
    }
}
