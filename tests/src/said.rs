//! What commands say that tests go by.

use crate::Output;

/// The beginning of an operation's id, as a command says it on stderr before it
/// sets to work.
pub fn id_told(stderr: &str) -> Option<String> {
    let at = stderr.find("op-")?;
    let id: String = stderr[at..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    // The line has been written to its end.
    stderr[at..].contains('\n').then_some(id)
}

/// The line that continues what was paused, or has failed.
///
/// # Panics
///
/// When there is none.
#[track_caller]
pub fn printed(output: &Output) -> String {
    let (_, rest) = output
        .stderr
        .rsplit_once(" with:\n\n")
        .unwrap_or_else(|| panic!("no command to continue with: {output}"));
    rest.lines().next().unwrap_or_default().trim().to_owned()
}
