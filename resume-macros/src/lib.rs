//! The derive behind `resume_runtime::Resumable`.
//!
//! The way of an enum through this crate: `parse` reads the enum and
//! its attributes as they were written and goes on after a mistake, so that one
//! build shows them all; `valid` turns that into a machine that is right, or into
//! errors on the author's own tokens; `expand` writes the implementation.
//! Beside errors, `fallback` writes one that does nothing, so that the rest of
//! the author's code is not blamed for them.
#![forbid(unsafe_code)]

mod attr;
mod errors;
mod expand;
mod fallback;
mod names;
mod parse;
mod valid;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives `resume_runtime::Resumable` for an enum of steps.
///
/// Each variant is a step and holds exactly one state: a struct of its own that
/// serde can store, with the step's body as its `impl Step<TheEnum>`. The derive
/// also writes `From<State>` for the enum, one per variant, so that a step can
/// return `Transition::to(NextState { .. })`.
///
/// ```ignore
/// #[derive(Resumable)]
/// #[resumable(kind = "download", version = 2, input = Input, output = u64,
///             env = Client, migrate(1 => v1::upgrade))]
/// enum Download {
///     #[step(start)] Probe(Probe),
///     #[step] Fetch(Fetch),
///     #[step(name = "check")] Verify(Verify),
///     #[step(effect)] Install(Install),
/// }
/// ```
///
/// # On the enum: `#[resumable(..)]`
///
/// - `kind = "name"`, required: what the stored record calls the operation.
///   Lower-case letters, digits and dashes, beginning with a letter.
/// - `version = 1`, required: the version of the stored states. Raise it when a
///   state of the version before can no longer be read as it is.
/// - `input = Type`: what the operation was asked to do. `()` if not given.
/// - `output = Type`: what it gives when it is done. `()` if not given.
/// - `env = Type`: what each process builds anew. `()` if not given.
/// - `migrate(1 => path, 2 => path)`: for every version before this one, a
///   `fn(&Checkpoint) -> Result<TheEnum, RestoreError>` that reads its states.
///   Each version needs one, so that none is forgotten; to give up a version, say
///   so: `1 => |old| Err(RestoreError::NoMigration(old.version))`.
/// - `crate = path`: where the runtime is found, if not at `::resume_runtime`.
///
/// # On a variant: `#[step]` or `#[step(..)]`, required
///
/// - `start`: the first step, on exactly one variant. Its state implements
///   `Default`.
/// - `effect`: the step touches something outside the operation's own store (a
///   ref, a remote, a result file). A commit is made before it starts and after
///   it ends.
/// - `name = "stored-name"`: the name under which the state is stored. Without it,
///   the variant's name in snake case. Give the old name here when a variant is
///   renamed, and stored operations still find it.
#[proc_macro_derive(Resumable, attributes(resumable, step))]
pub fn derive_resumable(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::derive(&input).into()
}
