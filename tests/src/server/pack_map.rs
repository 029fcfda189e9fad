//! Where the objects lie in the pack that a server sends.

use std::path::Path;

use crate::Scratch;

/// The places of a pack.
#[derive(Clone, Debug)]
pub struct PackMap {
    /// Where each object begins, in order; the end of the last one behind them.
    pub offsets: Vec<u64>,
    /// The length of the pack, with the checksum.
    pub length: u64,
}

impl PackMap {
    /// Of the only pack of a repository that git has cloned: it is kept as it came.
    ///
    /// # Panics
    ///
    /// When there are more of them, or git fails.
    pub fn of(scratch: &Scratch, git_dir: &Path) -> Self {
        let dir = git_dir.join("objects/pack");
        let find = |extension: &str| {
            let mut found: Vec<_> = crate::files(&dir).into_keys().collect();
            found.retain(|path| path.extension().is_some_and(|found| found == extension));
            assert_eq!(found.len(), 1, "{found:?}");
            dir.join(&found[0])
        };
        let pack = find("pack");
        let script = format!("git show-index < '{}'", find("idx").display());
        let mut command = scratch.command("sh", git_dir);
        command.args(["-c", &script]);
        let output = crate::scratch::run(command).ok();
        let first = |line: &str| line.split(' ').next()?.parse().ok();
        let mut offsets: Vec<u64> = output.stdout.lines().filter_map(first).collect();
        offsets.sort_unstable();
        let length = pack.metadata().expect("its length").len();
        offsets.push(length - 20);
        Self { offsets, length }
    }

    /// Where the first object begins that does so behind this share of the bytes.
    pub fn behind(&self, share: f64) -> u64 {
        let place = self.length as f64 * share;
        let behind = |offset: &&u64| **offset as f64 >= place;
        let found = self.offsets.iter().find(behind);
        found.copied().unwrap_or(self.length - 20)
    }

    /// Where object `number` of so many begins, by its share of all of them.
    pub fn at(&self, share: f64) -> u64 {
        let last = self.offsets.len() - 1;
        let place = last as f64 * share.clamp(0.0, 1.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a number of objects"
        )]
        let place = place as usize;
        self.offsets[place.min(last)]
    }
}
