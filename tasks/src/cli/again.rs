//! The command that continues an operation, ready to paste.

use mug::core::resume::Operation;

use super::origin::Origin;
use super::ui::text;

/// What the words of a stored command begin with.
pub(super) const PROGRAM: &str = "mug";

/// The words that continue `op` when run in its directory; none where nobody
/// stored them.
pub(super) fn words(op: &Operation) -> Option<Vec<String>> {
    if op.command.is_empty() {
        return None;
    }
    let mut words = op.command.clone();
    words.extend(["--resume".to_owned(), op.id.clone()]);
    Some(words)
}

/// The line that continues `op` when it is typed where the user is.
pub(super) fn line(op: &Operation, origin: &Origin) -> Option<String> {
    let mut words = words(op)?;
    let ours = words[0] == PROGRAM;
    if ours {
        origin.program().clone_into(&mut words[0]);
    }
    let elsewhere = op.directory.as_deref().filter(|dir| !origin.is_in(dir));
    match elsewhere {
        Some(dir) if ours => {
            words.splice(1..1, ["-C".to_owned(), dir.to_owned()]);
            Some(text::command(&words))
        }
        Some(dir) => Some(format!(
            "cd {} && {}",
            text::command(&[dir.to_owned()]),
            text::command(&words)
        )),
        None => Some(text::command(&words)),
    }
}

#[cfg(test)]
mod tests {
    use mug::core::resume::OperationType;

    use super::*;

    fn op(command: &[&str], directory: &str) -> Operation {
        let mut op = Operation::new(OperationType::Pack, String::new(), [].into());
        op.id = "op-1".into();
        op.command = command.iter().map(|&word| word.to_owned()).collect();
        op.directory = Some(directory.into());
        op
    }

    #[test]
    fn it_is_the_command_itself_where_it_was_started() {
        let op = op(&["mug", "pack", "create", "a b"], "/r");
        let line = line(&op, &Origin::at("/r", "./mug")).unwrap();
        assert_eq!(line, "./mug pack create 'a b' --resume op-1");
    }

    #[test]
    fn elsewhere_it_names_the_directory() {
        let op = op(&["mug", "pack", "create", "out"], "/it's");
        let line = line(&op, &Origin::at("/", "mug")).unwrap();
        assert_eq!(line, r#"mug -C "/it's" pack create out --resume op-1"#);
    }

    #[test]
    fn another_program_is_called_in_its_directory() {
        let op = op(&["count", "-n"], "/d");
        let line = line(&op, &Origin::at("/", "mug")).unwrap();
        assert_eq!(line, "cd /d && count -n --resume op-1");
    }

    #[test]
    fn nothing_is_made_up() {
        assert_eq!(line(&op(&[], "/"), &Origin::at("/", "mug")), None);
    }
}
