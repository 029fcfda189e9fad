//! Repositories made by git, and a writer of pack directories that takes the simplest way: the
//! entries of the repository's packs, in the packs' order or depth first.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use gix_hash::ObjectId;
use gix_pack::data::entry::Header;

use crate::pack::format::{
    Base, Digest, Entry, FrameRow, IndexSource, LayerManifest, Manifest, RefTarget, Refs,
    frame_file_name, write_index,
};

/// Runs git without the user's configuration; gives what it printed.
pub(in crate::pack) fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(dir)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_NAME", "A U Thor")
        .env("GIT_AUTHOR_EMAIL", "author@example.com")
        .env("GIT_AUTHOR_DATE", "1700000000 +0000")
        .env("GIT_COMMITTER_NAME", "A U Thor")
        .env("GIT_COMMITTER_EMAIL", "author@example.com")
        .env("GIT_COMMITTER_DATE", "1700000000 +0000")
        .env_remove("GIT_DIR")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A repository with files that change a little from commit to commit, branches and a tag, fully
/// repacked.
pub(in crate::pack) fn repository(dir: &Path, commits: usize) -> PathBuf {
    let repo = dir.join("repo");
    std::fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    grow(&repo, 0..commits);
    git(&repo, &["branch", "side", "HEAD~1"]);
    git(&repo, &["tag", "-a", "-m", "first", "v1"]);
    git(&repo, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    git(
        &repo,
        &[
            "symbolic-ref",
            "refs/remotes/origin/HEAD",
            "refs/remotes/origin/main",
        ],
    );
    git(&repo, &["repack", "-adfq"]);
    repo
}

/// Adds commits and repacks what is loose.
pub(in crate::pack) fn grow(repo: &Path, commits: std::ops::Range<usize>) {
    let mut seed = 1;
    let mut random = move || {
        seed = u64::wrapping_mul(seed, 6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    for commit in commits {
        for file in 0..4 {
            let lines: Vec<String> = (0..200)
                .map(|line| {
                    if line % 40 == commit % 40 {
                        format!("{commit} {}", random())
                    } else {
                        format!("line {line} of {file}")
                    }
                })
                .collect();
            std::fs::write(repo.join(format!("file-{file}")), lines.join("\n")).unwrap();
        }
        std::fs::write(repo.join("empty"), "").unwrap();
        git(repo, &["add", "-A"]);
        git(repo, &["commit", "-q", "-m", &format!("commit {commit}")]);
    }
    git(repo, &["repack", "-adfq"]);
}

/// How the entries of a layer are ordered.
#[derive(Clone, Copy)]
pub(in crate::pack) enum Order {
    /// As in Git's pack: bases come first, but deltas do not follow them.
    Pack,
    /// Each base is followed by all that depends on it.
    DepthFirst,
}

pub(in crate::pack) struct Object {
    pub(in crate::pack) oid: ObjectId,
    pub(in crate::pack) entry: Entry,
    /// The base within the layer.
    pub(in crate::pack) base: Option<ObjectId>,
    pub(in crate::pack) payload: Vec<u8>,
}

/// All objects of the repository's single pack, bases first.
pub(in crate::pack) fn objects(repo: &Path) -> Vec<Object> {
    let git_dir = repo.join(".git");
    let pack = std::fs::read_dir(git_dir.join("objects/pack"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let pack = pack
        .filter(|path| path.extension().is_some_and(|ext| ext == "pack"))
        .collect::<Vec<_>>();
    let [pack] = pack.as_slice() else {
        panic!("one pack")
    };
    let idx = gix_pack::index::File::at(pack.with_extension("idx"), gix_hash::Kind::Sha1).unwrap();
    let pack = gix_pack::data::File::at(pack, gix_hash::Kind::Sha1).unwrap();
    let oids: BTreeMap<u64, ObjectId> = idx
        .iter()
        .map(|entry| (entry.pack_offset, entry.oid))
        .collect();
    let mut kinds = HashMap::new();
    let mut inflate = gix_zlib::Inflate::default();
    oids.iter()
        .map(|(offset, oid)| {
            let entry = pack.entry(*offset).unwrap();
            let base = match entry.header {
                Header::OfsDelta { base_distance } => Some(oids[&(offset - base_distance)]),
                Header::RefDelta { base_id } => Some(base_id),
                _ => None,
            };
            let kind = base.map_or_else(
                || entry.header.as_kind().unwrap().into(),
                |base| kinds[&base],
            );
            kinds.insert(*oid, kind);
            let mut payload = vec![0; usize::try_from(entry.decompressed_size).unwrap()];
            pack.decompress_entry(&entry, &mut inflate, &mut payload)
                .unwrap();
            let entry = Entry {
                kind,
                size: entry.decompressed_size,
                base: Base::Whole,
            };
            Object {
                oid: *oid,
                entry,
                base,
                payload,
            }
        })
        .collect()
}

fn depth_first(objects: Vec<Object>) -> Vec<Object> {
    let mut children: HashMap<Option<ObjectId>, Vec<Object>> = HashMap::new();
    for object in objects.into_iter().rev() {
        children.entry(object.base).or_default().push(object);
    }
    let mut stack = children.remove(&None).unwrap_or_default();
    let mut ordered = Vec::new();
    while let Some(object) = stack.pop() {
        stack.extend(children.remove(&Some(object.oid)).unwrap_or_default());
        ordered.push(object);
    }
    ordered
}

struct Layer {
    objects: Vec<(ObjectId, u32)>,
    entries: Vec<Entry>,
}

impl IndexSource for Layer {
    fn len(&self) -> u32 {
        u32::try_from(self.objects.len()).unwrap()
    }
    fn objects(&self) -> io::Result<impl Iterator<Item = io::Result<(ObjectId, u32)>>> {
        Ok(self.objects.iter().map(|object| Ok(*object)))
    }
    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<Entry>>> {
        Ok(self.entries.iter().map(|entry| Ok(*entry)))
    }
}

/// Adds a layer with the objects of `repo` that no older layer has to the pack directory `out`.
pub(in crate::pack) fn add_layer(repo: &Path, out: &Path, frame_size: u32, order: Order) {
    let existing = crate::pack::format::PackDir::open(out);
    let known: HashSet<ObjectId> = existing
        .iter()
        .flat_map(|existing| existing.layers().unwrap())
        .flat_map(|layer| {
            layer
                .index()
                .objects_by_oid()
                .map(|object| object.unwrap().0)
                .collect::<Vec<_>>()
        })
        .collect();
    let mut objects = objects(repo);
    objects.retain(|object| !known.contains(&object.oid));
    for object in &mut objects {
        if let Some(base) = object.base
            && known.contains(&base)
        {
            object.entry.base = Base::External(base);
            object.base = None;
        }
    }
    if let Order::DepthFirst = order {
        objects = depth_first(objects);
    }
    write_layer(out, frame_size, &refs(repo), objects);
}

/// Adds a layer of these objects to the pack directory `out`, whatever they are.
pub(in crate::pack) fn write_layer(
    out: &Path,
    frame_size: u32,
    refs: &Refs,
    mut objects: Vec<Object>,
) {
    let manifest_path = out.join("manifest.json");
    let mut layers = if manifest_path.exists() {
        Manifest::read(&manifest_path).unwrap().layers
    } else {
        vec![]
    };
    let mut ranks = HashMap::new();
    for (rank, object) in (0..).zip(&mut objects) {
        if let Some(base) = object.base {
            object.entry.base = Base::Distance(rank - ranks[&base]);
        }
        ranks.insert(object.oid, rank);
    }
    let dir = out.join("layer");
    std::fs::create_dir_all(&dir).unwrap();
    let (frames, file) = frames(&objects, frame_size);
    let lengths = (!file.is_empty()).then_some(file.len() as u64);
    if lengths.is_some() {
        std::fs::write(dir.join(frame_file_name(0)), file).unwrap();
    }
    let mut by_oid: Vec<_> = ranks.into_iter().collect();
    by_oid.sort_unstable();
    let layer = Layer {
        objects: by_oid,
        entries: objects.iter().map(|object| object.entry).collect(),
    };
    let index = std::fs::File::create(dir.join("index")).unwrap();
    let index = write_index(index, Path::new("index"), frame_size, &frames, &layer).unwrap();
    let refs = refs.to_bytes(Path::new("refs")).unwrap();
    std::fs::write(dir.join("refs"), &refs).unwrap();
    let raw = objects.iter().map(|object| object.entry.size).sum();
    let refs = crate::pack::format::FileDigest::of(&refs);
    let layer = LayerManifest::new(objects.len() as u64, raw, lengths, index, refs);
    std::fs::create_dir_all(out.join("layers")).unwrap();
    std::fs::rename(&dir, out.join("layers").join(layer.id.to_string())).unwrap();
    layers.push(layer);
    std::fs::write(manifest_path, Manifest::new(layers).to_bytes()).unwrap();
}

fn frames(objects: &[Object], frame_size: u32) -> (Vec<FrameRow>, Vec<u8>) {
    let (mut rows, mut file, mut pending) = (Vec::new(), Vec::new(), Vec::new());
    let mut cut = |raw: &[u8]| {
        let stored = zstd::bulk::compress(raw, 3).unwrap();
        if !raw.is_empty() {
            rows.push(FrameRow {
                file: 0,
                offset: file.len() as u64,
                stored: u32::try_from(stored.len()).unwrap(),
                raw: u32::try_from(raw.len()).unwrap(),
                blake3: Digest::of(&stored),
            });
            file.extend_from_slice(&stored);
        }
    };
    for object in objects {
        if pending.len() + object.payload.len() > frame_size as usize {
            cut(&pending);
            pending.clear();
        }
        if object.payload.len() > frame_size as usize {
            object
                .payload
                .chunks(frame_size as usize)
                .for_each(&mut cut);
        } else {
            pending.extend_from_slice(&object.payload);
        }
    }
    cut(&pending);
    (rows, file)
}

pub(in crate::pack) fn refs(repo: &Path) -> Refs {
    let target = |oid: &str| RefTarget::Object(ObjectId::from_hex(oid.as_bytes()).unwrap());
    let listed = git(
        repo,
        &[
            "for-each-ref",
            "--format=%(objectname) %(refname) %(symref)",
        ],
    );
    let mut refs = Vec::new();
    for line in listed.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        if fields[2].is_empty() {
            refs.push((fields[1].into(), target(fields[0])));
        }
    }
    refs.push((
        "refs/remotes/origin/HEAD".into(),
        RefTarget::Symbolic("refs/remotes/origin/main".into()),
    ));
    let head = std::fs::read_to_string(repo.join(".git/HEAD")).unwrap();
    let head = match head.trim().strip_prefix("ref: ") {
        Some(to) => RefTarget::Symbolic(to.into()),
        None => target(head.trim()),
    };
    Refs::new(Some(head), refs)
}

/// Makes a pack of a repository without any commit.
pub(in crate::pack) fn add_empty_layer(out: &Path) {
    let refs = Refs::new(Some(RefTarget::Symbolic("refs/heads/trunk".into())), vec![]);
    std::fs::create_dir_all(out).unwrap();
    write_layer(out, 1000, &refs, vec![]);
}
