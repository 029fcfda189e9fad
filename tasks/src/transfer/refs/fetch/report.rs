//! What a fetch says of its refs, line by line, in Git's words.

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::apply::Fetched;
use super::decide::{Kind, Outcome, Refused, Told};
use crate::transfer::refs::name::{pretty, shown};
use crate::transfer::refs::url;

/// How it is said.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether refs are told that stay as they are because they are up to date.
    pub verbose: bool,
    /// How wide a line should be.
    pub columns: usize,
    /// Whether nothing was written.
    pub dry_run: bool,
}

/// The lines for what became of refs that came from `url`; none if there is nothing to say. `short`
/// abbreviates the id of an object.
pub fn lines(
    fetched: &Fetched,
    url: &str,
    style: Style,
    short: &dyn Fn(&ObjectId) -> String,
) -> Vec<String> {
    let mut lines = Vec::new();
    let width = refs_width(&fetched.told, style);
    let pruned = fetched.pruned.iter().map(|it| &it.0);
    let place = Place {
        summary: summary_width(pruned.filter_map(|it| it.old.as_ref()), short),
        refs: width,
        short,
    };
    for (told, dangling) in &fetched.pruned {
        lines.push(place.line(told));
        let becomes = if style.dry_run {
            "will become"
        } else {
            "has become"
        };
        for name in dangling {
            lines.push(format!("   ({} {becomes} dangling)", shown(name)));
        }
    }
    let news = fetched.told.iter().filter_map(|it| it.new.as_ref());
    let place = Place {
        summary: summary_width(news, short),
        ..place
    };
    for told in &fetched.told {
        if told.outcome != Outcome::UpToDate || style.verbose {
            lines.push(place.line(told));
        }
    }
    if !lines.is_empty() {
        lines.insert(0, format!("From {}", shown(url::brief(url).as_bytes())));
    }
    for told in &fetched.told {
        if let Outcome::NotMoved(why) = &told.outcome {
            lines.push(format!("error: {}: {why}", shown(&told.local)));
        }
    }
    lines
}

/// How wide what stands for an update is.
fn summary_width<'a>(
    oids: impl Iterator<Item = &'a ObjectId>,
    short: &dyn Fn(&ObjectId) -> String,
) -> usize {
    let null = short(&ObjectId::null(gix_hash::Kind::Sha1)).len();
    let widest = oids.map(|oid| short(oid).len()).fold(null, usize::max);
    2 * widest + 3
}

/// How wide the names of the remote's refs are, as far as they fit.
fn refs_width(told: &[Told], style: Style) -> usize {
    let mut width = 10;
    for it in told {
        let fetch_head = matches!(it.outcome, Outcome::FetchHead(_));
        if fetch_head || it.remote == "HEAD" || (it.outcome == Outcome::UpToDate && !style.verbose)
        {
            continue;
        }
        let columns = |name: &BString| shown(pretty(name.as_bstr())).chars().count();
        let remote = columns(&it.remote);
        if 21 + remote + 4 + columns(&it.local) < style.columns {
            width = width.max(remote);
        }
    }
    width
}

struct Place<'a> {
    summary: usize,
    refs: usize,
    short: &'a dyn Fn(&ObjectId) -> String,
}

impl Place<'_> {
    fn line(&self, told: &Told) -> String {
        let (mark, summary, why) = self.words(told);
        let remote = match told.outcome {
            Outcome::Deleted => "(none)".to_owned(),
            _ => shown(pretty(told.remote.as_bstr())),
        };
        let local = shown(pretty(told.local.as_bstr()));
        let why = why.map_or_else(String::new, |why| format!("  ({why})"));
        let (width, refs) = (self.summary, self.refs);
        format!(" {mark} {summary:<width$} {remote:<refs$} -> {local}{why}")
    }

    /// The mark, the summary, and what is added.
    fn words(&self, told: &Told) -> (char, String, Option<&'static str>) {
        let update = |dots: &str| {
            let [old, new] = [told.old, told.new].map(|it| it.map(|it| (self.short)(&it)));
            format!(
                "{}{dots}{}",
                old.unwrap_or_default(),
                new.unwrap_or_default()
            )
        };
        let plain = |text: &str| text.to_owned();
        match &told.outcome {
            Outcome::UpToDate => ('=', plain("[up to date]"), None),
            Outcome::FastForward => (' ', update(".."), None),
            Outcome::Forced => ('+', update("..."), Some("forced update")),
            Outcome::New(Kind::Tag) => ('*', plain("[new tag]"), None),
            Outcome::New(Kind::Branch) => ('*', plain("[new branch]"), None),
            Outcome::New(_) => ('*', plain("[new ref]"), None),
            Outcome::TagMoved => ('t', plain("[tag update]"), None),
            Outcome::Deleted => ('-', plain("[deleted]"), None),
            Outcome::FetchHead(kind) => ('*', plain(kind.word().unwrap_or("branch")), None),
            Outcome::NotMoved(_) => ('!', plain("[failed]"), Some("unable to update local ref")),
            Outcome::Refused(why) => {
                let why = match why {
                    Refused::CheckedOut => "can't fetch into checked-out branch",
                    Refused::Tag => "would clobber existing tag",
                    Refused::NotFastForward => "non-fast-forward",
                    Refused::Moved => "moved by another process meanwhile",
                };
                ('!', plain("[rejected]"), Some(why))
            }
        }
    }
}
