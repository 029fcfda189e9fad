//! What a step may hold.
//!
//! The bound has a name of its own so that a state that lacks it is reported in
//! the framework's words, once, at the state in the enum.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{RestoreError, StepError};
use crate::resumable::Checkpoint;

/// The state of a step: whatever serde can store and read back. It is implemented
/// for every such type, and never by hand.
#[diagnostic::on_unimplemented(
    message = "the state `{Self}` cannot be stored",
    label = "a state needs `#[derive(Serialize, Deserialize)]`"
)]
pub trait State: Sized {
    /// The checkpoint of this state, under the step's stored name.
    fn store(&self, step: &str, version: u32) -> Result<Checkpoint, StepError>;

    /// The state out of its checkpoint.
    fn load(checkpoint: &Checkpoint) -> Result<Self, RestoreError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> State for T {
    fn store(&self, step: &str, version: u32) -> Result<Checkpoint, StepError> {
        Checkpoint::new(step, version, self)
    }

    fn load(checkpoint: &Checkpoint) -> Result<Self, RestoreError> {
        checkpoint.body_as()
    }
}
