//! The manifest: which layers make up the pack, and what their files must be.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    Digest, FileDigest, FormatError, MAX_FRAME_FILE, MAX_LAYERS, VERSION, frame_file_name,
    layer_id, open,
};

const FORMAT: &str = "mug-pack";
const OBJECT_HASH: &str = "sha1";
/// The largest manifest that is read.
const MAX_BYTES: u64 = 64 << 20;

/// The content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: String,
    version: u32,
    object_hash: String,
    /// The layers, oldest first; a delta's base lies in its own layer or in an older one.
    pub layers: Vec<LayerManifest>,
}

/// What the manifest says of one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerManifest {
    /// Made from `index` and `refs` by [`layer_id`]; also the name of the layer's directory.
    pub id: Digest,
    /// The number of objects.
    pub objects: u64,
    /// The length of the stream in bytes.
    pub raw_bytes: u64,
    /// The frame files, in order.
    pub files: Vec<FrameFile>,
    /// The index file.
    pub index: FileDigest,
    /// The refs file.
    pub refs: FileDigest,
}

/// One file of frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameFile {
    /// The name, which [`frame_file_name`] gives.
    pub name: String,
    /// The length in bytes.
    pub bytes: u64,
}

impl LayerManifest {
    /// A layer of the given size and files; `frame_files` are the lengths of the frame files.
    pub fn new(
        objects: u64,
        raw_bytes: u64,
        frame_files: impl IntoIterator<Item = u64>,
        index: FileDigest,
        refs: FileDigest,
    ) -> Self {
        let files = (0..).zip(frame_files).map(|(number, bytes)| FrameFile {
            name: frame_file_name(number),
            bytes,
        });
        Self {
            id: layer_id(&index.blake3, &refs.blake3),
            objects,
            raw_bytes,
            files: files.collect(),
            index,
            refs,
        }
    }
}

impl Manifest {
    /// A pack of these layers, oldest first.
    pub fn new(layers: Vec<LayerManifest>) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            object_hash: OBJECT_HASH.into(),
            layers,
        }
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and numbers always serialise; an empty file would be refused by every reader.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads the manifest at `path`.
    pub fn read(path: &Path) -> Result<Self, FormatError> {
        Self::parse(&Self::bytes_of(path)?, path)
    }

    /// The bytes of the manifest at `path`, unless they are too many.
    pub(in crate::pack) fn bytes_of(path: &Path) -> Result<Vec<u8>, FormatError> {
        open::read_file(path, MAX_BYTES, "a manifest")
    }

    /// Parses and checks a manifest; `path` is only named in errors.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, FormatError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u64,
            object_hash: String,
        }
        let unreadable = |error: serde_json::Error| FormatError::damaged(path, error.to_string());
        // The head alone first: what a later version has besides must not hide that it is one.
        let head: Head = serde_json::from_slice(bytes).map_err(unreadable)?;
        if head.format != FORMAT {
            return Err(FormatError::damaged(
                path,
                "it does not describe a mug pack",
            ));
        }
        if head.version > u64::from(VERSION) {
            return Err(FormatError::Newer {
                path: path.to_owned(),
                found: head.version,
                known: VERSION,
            });
        }
        if head.version == 0 {
            return Err(FormatError::damaged(path, "there is no version 0"));
        }
        if head.object_hash != OBJECT_HASH {
            let hash = head
                .object_hash
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .take(32)
                .collect();
            return Err(FormatError::UnsupportedHash {
                path: path.to_owned(),
                hash,
            });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        manifest
            .check()
            .map_err(|reason| FormatError::damaged(path, reason))?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.layers.len() > MAX_LAYERS {
            return Err(format!(
                "{} layers are too many (at most {MAX_LAYERS})",
                self.layers.len()
            ));
        }
        let mut ids = HashSet::with_capacity(self.layers.len());
        for (at, layer) in self.layers.iter().enumerate() {
            if layer.id != layer_id(&layer.index.blake3, &layer.refs.blake3) {
                return Err(format!(
                    "the id of layer {at} does not follow from its files"
                ));
            }
            if !ids.insert(layer.id) {
                return Err(format!("layer {} is listed twice", layer.id));
            }
            for (number, file) in (0..).zip(&layer.files) {
                if file.name != frame_file_name(number) {
                    return Err(format!(
                        "frame file {number} of layer {} has a name of its own",
                        layer.id
                    ));
                }
                if file.bytes == 0 || file.bytes > MAX_FRAME_FILE {
                    return Err(format!(
                        "{} of layer {} can't have {} bytes",
                        file.name, layer.id, file.bytes
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let layer = |seed: u8| {
            LayerManifest::new(
                3,
                700,
                [500, 60],
                FileDigest::of(&[seed]),
                FileDigest::of(&[seed, 1]),
            )
        };
        Manifest::new(vec![layer(1), layer(2)])
    }

    fn parse(text: &str) -> Result<Manifest, FormatError> {
        Manifest::parse(text.as_bytes(), Path::new("manifest.json"))
    }

    fn text() -> String {
        String::from_utf8(sample().to_bytes()).unwrap()
    }

    #[test]
    fn round_trips() {
        assert_eq!(parse(&text()).unwrap(), sample());
        assert_eq!(
            parse(&String::from_utf8(Manifest::new(vec![]).to_bytes()).unwrap())
                .unwrap()
                .layers,
            []
        );
    }

    #[test]
    fn a_newer_version_is_named_even_if_it_has_more_fields() {
        let newer = text().replacen("\"version\": 1", "\"version\": 2, \"shards\": []", 1);
        let error = parse(&newer).unwrap_err();
        assert!(
            matches!(
                error,
                FormatError::Newer {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn another_hash_is_named() {
        let error = parse(&text().replacen("sha1", "sha256", 1)).unwrap_err();
        assert!(
            matches!(&error, FormatError::UnsupportedHash { hash, .. } if hash == "sha256"),
            "{error}"
        );
    }

    #[test]
    fn names_and_ids_are_fixed_by_the_format() {
        for (from, to, why) in [
            ("frames-0001", "../../evil", "a name of its own"),
            ("frames-0001", "frames-0002", "a name of its own"),
            ("\"bytes\": 60", "\"bytes\": 0", "can't have"),
            ("\"bytes\": 60", "\"bytes\": 99999999999", "can't have"),
            ("\"objects\": 3", "\"objects\": -3", "invalid value"),
            (
                "\"objects\": 3",
                "\"objects\": 3, \"more\": 1",
                "unknown field",
            ),
        ] {
            let error = parse(&text().replacen(from, to, 1))
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{to}: {error}");
        }
        let id = sample().layers[0].id.to_string();
        let other = sample().layers[1].id.to_string();
        let error = parse(&text().replacen(&id, &other, 1))
            .unwrap_err()
            .to_string();
        assert!(error.contains("does not follow"), "{error}");
        let twice = Manifest::new(vec![sample().layers[0].clone(), sample().layers[0].clone()]);
        let error = parse(&String::from_utf8(twice.to_bytes()).unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains("listed twice"), "{error}");
    }

    #[test]
    fn every_cut_is_refused_and_no_flip_keeps_the_digests() {
        let bytes = sample().to_bytes();
        for end in 0..bytes.len() - 1 {
            assert!(
                Manifest::parse(&bytes[..end], Path::new("m")).is_err(),
                "cut at {end}"
            );
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                // Sizes and counts are held against the layers' files when these are opened.
                if let Ok(read) = Manifest::parse(&flipped, Path::new("m")) {
                    for (read, written) in read.layers.iter().zip(sample().layers) {
                        assert_eq!(
                            (read.id, read.index.blake3),
                            (written.id, written.index.blake3)
                        );
                    }
                    assert_ne!(read, sample(), "the flip at {at} went unnoticed");
                }
            }
        }
    }

    #[test]
    fn a_million_layers_are_refused_at_once() {
        let layer = |seed: u32| {
            let seed = FileDigest::of(&seed.to_le_bytes());
            LayerManifest::new(1, 1, [1], seed, seed)
        };
        let many = |n: usize| Manifest::new((0..u32::try_from(n).unwrap()).map(layer).collect());
        let compact = |n: usize| serde_json::to_string(&many(n)).unwrap();
        let error = parse(&compact(MAX_LAYERS + 1)).unwrap_err().to_string();
        assert!(error.contains("65537 layers are too many"), "{error}");
        assert_eq!(parse(&compact(5_000)).unwrap().layers.len(), 5_000);
        // A real million would be over a bound that is looked at before anything is read.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manifest.json");
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(compact(1).len() as u64 * 1_000_000).unwrap();
        let error = Manifest::read(&path).unwrap_err().to_string();
        assert!(error.contains("too many for a manifest"), "{error}");
    }

    #[test]
    fn control_characters_reach_no_message() {
        let name = "frames-0001";
        for evil in ["\\u001b[2J", "\\u202e", "../../x"] {
            let error = parse(&text().replacen(name, evil, 1)).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("a name of its own"), "{error}");
            assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error:?}");
        }
        for (from, to) in [("mug-pack", "\\u001b[2J"), ("objects", "\\u001b[2J\\u202e")] {
            let error = parse(&text().replacen(from, to, 1)).unwrap_err();
            let error = error.to_string();
            assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error:?}");
        }
    }

    #[test]
    fn bytes_behind_the_end_are_refused() {
        assert!(parse(&(text() + "{}")).is_err());
    }
}
