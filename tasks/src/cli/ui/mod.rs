//! All that is shown: results on stdout, everything else on stderr.
//!
//! - [`output`]: the two streams, and what `-q`, `-v` and `--json` do to them;
//! - [`text`], [`mod@format`], [`table`]: words, quantities, columns;
//! - [`status`]: how far an operation is, in words and in JSON;
//! - [`view`]: progress while it runs, as a bar, as lines or as JSON.

mod bar;
mod errors;
pub(super) mod format;
mod fresh;
mod lines;
mod output;
pub(super) mod status;
pub(super) mod table;
pub(super) mod text;
mod view;

pub(crate) use output::Ui;
pub(super) use view::View;
