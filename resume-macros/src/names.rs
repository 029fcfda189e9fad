//! What may be a name, and which one was meant.

/// The longest kind and stored step name.
const MAX_LEN: usize = 64;

/// Whether `name` may be an operation's kind.
pub(crate) fn is_kind(name: &str) -> bool {
    is_plain(name, |c| c == '-')
}

/// Whether `name` may be a stored step's name.
pub(crate) fn is_step(name: &str) -> bool {
    is_plain(name, |c| c == '-' || c == '_')
}

fn is_plain(name: &str, joint: impl Fn(char) -> bool) -> bool {
    name.len() <= MAX_LEN
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || joint(c))
}

/// The variant's name as it is stored: `FetchPack` is `fetch_pack`, `HTTPGet` is
/// `http_get`.
pub(crate) fn snake_case(variant: &str) -> String {
    let mut snake = String::with_capacity(variant.len() + 4);
    let mut before: Option<char> = None;
    let mut chars = variant.chars().peekable();
    while let Some(c) = chars.next() {
        let starts_word = c.is_uppercase()
            && before.is_some_and(|b| {
                b != '_' && (!b.is_uppercase() || chars.peek().is_some_and(|n| n.is_lowercase()))
            });
        if starts_word {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
        before = Some(c);
    }
    snake
}

/// The known key that `key` looks like.
pub(crate) fn meant(key: &str, known: &[&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|&k| (strsim::jaro_winkler(key, k), k))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_stored_in_snake_case() {
        for (variant, stored) in [
            ("Walk", "walk"),
            ("FetchPack", "fetch_pack"),
            ("HTTPGet", "http_get"),
            ("Sha256Sum", "sha256_sum"),
            ("A", "a"),
            ("Load_Refs", "load_refs"),
        ] {
            assert_eq!(snake_case(variant), stored);
        }
    }

    #[test]
    fn a_kind_is_lower_case_letters_digits_and_dashes() {
        assert!(is_kind("pack") && is_kind("pack-v2"));
        for kind in ["", "Pack", "pack_v2", "2pack", "-pack", "pa ck", "päck"] {
            assert!(!is_kind(kind), "{kind}");
        }
        assert!(!is_kind(&"a".repeat(MAX_LEN + 1)));
    }

    #[test]
    fn a_slip_of_the_finger_is_recognized() {
        let known = &["kind", "version", "input", "migrate"];
        assert_eq!(meant("vesrion", known), Some("version"));
        assert_eq!(meant("migrations", known), Some("migrate"));
        assert_eq!(meant("colour", known), None);
    }
}
