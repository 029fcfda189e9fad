//! Which bundle is to come next.

use super::state::{Bundling, Key};
use crate::transfer::connection::Bundles;
use crate::transfer::refs::name::shown;

/// No more are looked at.
const MOST: usize = 100;
/// So much of a name is shown.
const SHOWN: usize = 80;

/// The bundles of a list that are of use, in the order in which to try them.
#[derive(Debug, Default)]
pub(in super::super) struct Offers {
    /// One is enough.
    any: bool,
    /// Newest first: those before one that needs nothing else are not needed.
    by_token: bool,
    list: Vec<Offer>,
}

/// A bundle that is offered.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) key: Key,
    /// Its name, for people.
    pub(super) name: String,
    /// Where it is. It may be a secret.
    pub(super) uri: String,
}

impl Offers {
    /// Those of a server's list that leave nothing out.
    pub(super) fn of(mut bundles: Bundles) -> Self {
        bundles.bundles.retain(|it| it.filter.is_none());
        if bundles.by_token {
            bundles
                .bundles
                .sort_by_key(|it| std::cmp::Reverse(it.token.unwrap_or_default()));
        }
        let list = bundles.bundles.into_iter().take(MOST).map(|bundle| {
            let mut name = shown(bundle.id.as_bytes());
            name = name.chars().take(SHOWN).collect();
            Offer {
                key: key(&bundle.id),
                name,
                uri: bundle.uri,
            }
        });
        Self {
            any: !bundles.all,
            by_token: bundles.by_token,
            list: list.collect(),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The one of this key.
    pub(super) fn get(&self, key: Key) -> Option<&Offer> {
        self.list.iter().find(|it| it.key == key)
    }

    /// The one to ask for next; none when there are no more.
    pub(super) fn next(&self, so_far: &mut Bundling) -> Option<&Offer> {
        if so_far.returns {
            // The oldest first, on which the others rest.
            while let Some(key) = so_far.put_off.pop() {
                if let Some(offer) = self.get(key) {
                    return Some(offer);
                }
            }
            if self.any || self.by_token {
                return None;
            }
            so_far.returns = false;
        }
        self.list
            .iter()
            .find(|it| !so_far.done.contains(&it.key) && !so_far.put_off.contains(&it.key))
    }
}

/// What is kept of a name.
fn key(id: &str) -> Key {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..8]);
    Key::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::super::state::Stage;
    use super::*;
    use crate::transfer::connection::Bundle;

    fn offers(all: bool, by_token: bool, names: &[(&str, u64)]) -> Offers {
        let bundle = |(id, token): &(&str, u64)| Bundle {
            id: (*id).into(),
            uri: format!("https://host/{id}"),
            filter: None,
            token: by_token.then_some(*token),
        };
        Offers::of(Bundles {
            all,
            by_token,
            bundles: names.iter().map(bundle).collect(),
        })
    }

    /// Plays through it: what is asked for, with `+` when it was taken, `-` when it can't be had and
    /// `?` when it lacks what it needs. `needs` says what that is.
    fn play(offers: &Offers, needs: &[(&str, &str)], gone: &[&str]) -> String {
        let mut so_far = Bundling::before(Stage::Look);
        let (mut here, mut played): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        while let Some(offer) = offers.next(&mut so_far) {
            so_far.current(offer.key);
            let name = offer.name.clone();
            let mut wants = needs.iter().filter(|(id, _)| *id == name);
            let mark = if gone.contains(&&*name) {
                so_far.ended(false, false);
                '-'
            } else if wants.any(|(_, need)| !here.iter().any(|it| it == need)) {
                so_far.lacks();
                '?'
            } else {
                here.push(name.clone());
                so_far.ended(true, false);
                '+'
            };
            played.push(format!("{name}{mark}"));
            assert!(played.len() < 20, "{played:?}");
        }
        played.join(" ")
    }

    #[test]
    fn one_of_any_is_enough() {
        let offers = offers(false, false, &[("a", 0), ("b", 0), ("c", 0)]);
        assert_eq!(play(&offers, &[], &[]), "a+");
        assert_eq!(play(&offers, &[], &["a"]), "a- b+");
        assert_eq!(play(&offers, &[], &["a", "b", "c"]), "a- b- c-");
    }

    #[test]
    fn with_tokens_the_newest_is_tried_first_and_the_oldest_taken_first() {
        let names = [("a", 1), ("b", 2), ("c", 3), ("d", 4)];
        let offers = offers(true, true, &names);
        let chain = [("d", "c"), ("c", "b")];
        assert_eq!(play(&offers, &chain, &[]), "d? c? b+ c+ d+");
        assert_eq!(play(&offers, &chain, &["c"]), "d? c- b+ d?");
        assert_eq!(play(&offers, &[("d", "none")], &[]), "d? c+ d?");
        assert_eq!(play(&offers, &[], &[]), "d+");
    }

    #[test]
    fn without_tokens_all_are_taken_in_whichever_order_they_go() {
        let offers = offers(true, false, &[("a", 0), ("b", 0), ("c", 0), ("d", 0)]);
        assert_eq!(play(&offers, &[], &[]), "a+ b+ c+ d+");
        let chain = [("a", "b"), ("b", "c")];
        assert_eq!(play(&offers, &chain, &[]), "a? b? c+ b+ a+ d+");
    }

    #[test]
    fn what_leaves_something_out_or_is_one_too_many_is_not_offered() {
        let bundle = |n: usize| Bundle {
            id: format!("{n}\u{1b}{}", "x".repeat(200)),
            uri: "x".into(),
            filter: (n == 0).then(|| "blob:none".into()),
            token: None,
        };
        let offers = Offers::of(Bundles {
            bundles: (0..200).map(bundle).collect(),
            ..Bundles::default()
        });
        assert_eq!(offers.len(), MOST);
        let first = &offers.list[0].name;
        assert!(first.starts_with("1?x") && first.len() == SHOWN, "{first}");
    }
}
