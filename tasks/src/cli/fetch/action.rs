//! What the logs of refs begin with: the command as it was typed.

use mug::transfer::refs::url::anonymous;

/// Options of this command that git does not have, and those that only say how it is shown. Those
/// that take a value have a `=` at their end.
const OWN: [&str; 8] = [
    "--resume=",
    "--threads=",
    "--tries=",
    "--progress=",
    "-C=",
    "--staged",
    "--json",
    "--quiet",
];

/// `fetch` with the words after it, as git has them in its logs: without who logs in to a URL.
pub(super) fn of_command() -> String {
    if let Some(set) = std::env::var_os("GIT_REFLOG_ACTION") {
        return set.to_string_lossy().into_owned();
    }
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    of_words(words)
}

fn of_words(words: impl IntoIterator<Item = String>) -> String {
    let mut words = words.into_iter().skip_while(|word| word != "fetch").skip(1);
    let mut action = "fetch".to_owned();
    while let Some(word) = words.next() {
        if OWN
            .iter()
            .any(|own| own.strip_suffix('=') == Some(word.as_str()))
        {
            words.next();
            continue;
        }
        if OWN.iter().any(|own| {
            word == *own || (own.starts_with("--") && own.ends_with('=') && word.starts_with(own))
        }) {
            continue;
        }
        action.push(' ');
        action.push_str(&anonymous(&word));
    }
    action
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_git_would_have() {
        for (line, expected) in [
            ("mug fetch", "fetch"),
            (
                "mug -C x fetch --prune origin main",
                "fetch --prune origin main",
            ),
            ("mug fetch origin --resume op-1", "fetch origin"),
            (
                "mug fetch --resume=op-1 --staged --json -C y origin",
                "fetch origin",
            ),
            (
                "mug fetch https://u:p@host/x a:b",
                "fetch https://host/x a:b",
            ),
        ] {
            let words = line.split(' ').map(str::to_owned);
            assert_eq!(of_words(words), expected);
        }
    }
}
