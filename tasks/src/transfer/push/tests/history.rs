//! Which commits are sent, and who descends from whom, whatever the commits' dates are.

use std::fmt::Write as _;

use gix::hashtable::HashSet;
use gix_hash::ObjectId;

use crate::pack::testing::GitRepo;
use crate::transfer::push::{history, store::Store};

/// Numbers that are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Commits, some of them merges, each with its parents among those before it; what each of them
/// descends from, itself included. `date` says when the n-th one was made.
struct Graph {
    repo: GitRepo,
    ids: Vec<ObjectId>,
    below: Vec<Vec<bool>>,
}

const COMMITS: usize = 40;

fn graph(seed: u64, date: &dyn Fn(usize) -> usize) -> Graph {
    let repo = GitRepo::new();
    let mut random = Random(seed);
    let tree = repo.git(&["mktree"]);
    let (mut ids, mut below) = (Vec::new(), Vec::<Vec<bool>>::new());
    for i in 0..COMMITS {
        let mut parents = Vec::new();
        if i > 0 {
            // Mostly a line, so that some are far apart.
            parents.push(i - 1 - random.below(3).min(i - 1));
        }
        if i > 4 && random.below(4) == 0 {
            parents.push(random.below(i));
        }
        parents.dedup();
        let mut own = vec![false; COMMITS];
        own[i] = true;
        let mut text = format!("tree {tree}\n");
        for parent in parents {
            let _ = writeln!(text, "parent {}", ids[parent]);
            for (own, its) in own.iter_mut().zip(&below[parent]) {
                *own |= its;
            }
        }
        let who = format!("A <a@b.c> {} +0000", 1_600_000_000 + date(i));
        let _ = write!(text, "author {who}\ncommitter {who}\n\n{i}\n");
        repo.write("commit", text);
        let id = repo.git(&["hash-object", "-t", "commit", "-w", "commit"]);
        ids.push(ObjectId::from_hex(id.as_bytes()).unwrap());
        below.push(own);
    }
    Graph { repo, ids, below }
}

impl Graph {
    fn store(&self) -> Store {
        Store::at(&self.repo.git_dir().join("objects")).unwrap()
    }
}

#[test]
fn no_commit_is_sent_that_is_known_and_who_descends_from_whom_is_no_matter_of_dates() {
    let (same, steady) = (|_| 0_usize, |i: usize| i * 60);
    let backwards = |i: usize| (COMMITS - i) * 60;
    for (seed, date) in [
        (1, &same as &dyn Fn(usize) -> usize),
        (2, &same),
        (3, &steady),
        (4, &backwards),
    ] {
        let graph = graph(seed, date);
        let (store, none) = (graph.store(), HashSet::default());
        let mut random = Random(seed);
        for _ in 0..300 {
            let tip = random.below(COMMITS);
            let known = [random.below(COMMITS), random.below(COMMITS)];
            let has = |at: usize| known.iter().any(|it| graph.below[*it][at]);
            let wanted: Vec<usize> = (0..COMMITS)
                .filter(|at| graph.below[tip][*at] && !has(*at))
                .collect();
            let ids = known.map(|it| graph.ids[it]);
            let sent = history::missing(&store, &[graph.ids[tip]], &ids, &none, &|| false);
            let sent = sent.unwrap();
            let place = |at: &usize| sent.iter().position(|id| *id == graph.ids[*at]);
            assert!(wanted.iter().all(|it| place(it).is_some()));
            // Where clocks went wrong it may be some more.
            assert!(sent.len() == wanted.len() || seed == 4, "{tip} {known:?}");
            for (of, below) in wanted.iter().map(|it| (it, &graph.below[*it])) {
                let parents = wanted.iter().filter(|at| below[**at]);
                assert!(parents.map(place).all(|at| at <= place(of)));
            }
            let reaches = history::reaches(&store, &ids, graph.ids[tip], &none);
            assert_eq!(reaches.unwrap(), has(tip), "{seed}: {tip} {known:?}");
        }
    }
}

#[test]
fn what_lies_before_the_shallow_commits_is_not_seen() {
    let graph = graph(3, &|i| i);
    let (store, ids) = (graph.store(), &graph.ids);
    let shallow: HashSet<ObjectId> = ids[10..15].iter().copied().collect();
    let reaches =
        |from: ObjectId, to: ObjectId| history::reaches(&store, &[from], to, &shallow).unwrap();
    assert!(reaches(ids[39], ids[39]));
    assert!(graph.below[39][2] && !reaches(ids[39], ids[2]));
    assert!(!reaches(ids[2], ids[39]));
    // The other side may have what is not here.
    let absent = ObjectId::null(gix_hash::Kind::Sha1);
    assert!(!reaches(absent, ids[3]));
    assert!(!reaches(ids[3], absent));
}
