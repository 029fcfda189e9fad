//! What cannot be packed, restored or continued is refused: with the exit code
//! that is documented, with a message that names the cause, and before anything is
//! made.

use std::path::Path;

use end_to_end::{Output, Scratch, Shape};

/// Asserts that it failed with this code and said all of this, and that there is
/// no pack.
#[track_caller]
fn refused(scratch: &Scratch, output: Output, code: i32, said: &[&str]) {
    let output = output.exits(code);
    for text in said {
        assert!(output.stderr.contains(text), "no `{text}` in {output}");
    }
    assert!(!scratch.join("out/manifest.json").exists());
}

fn create(scratch: &Scratch, dir: impl AsRef<Path>, args: &[&str]) -> Output {
    let out = scratch.join("out");
    let out = out.to_str().expect("a scratch path is text");
    scratch.mug(dir, &[&["pack", "create", out], args].concat())
}

#[test]
fn a_sha256_repository() {
    let scratch = Scratch::new();
    scratch.git(
        ".",
        &["init", "-q", "--bare", "--object-format=sha256", "new.git"],
    );
    let output = create(&scratch, "new.git", &[]);
    refused(&scratch, output, 1, &["sha256"]);
}

#[test]
fn no_repository() {
    let scratch = Scratch::new();
    let output = create(&scratch, ".", &[]);
    refused(&scratch, output, 1, &["no Git repository"]);
}

#[test]
fn a_missing_object_is_named() {
    let scratch = Scratch::new();
    let repository = scratch.repository("plain", false, Shape::SMALL);
    for (number, name) in ["topic:dir-1/file-1.txt", "topic^{tree}"]
        .into_iter()
        .enumerate()
    {
        let oid = scratch.git(&repository, &["rev-parse", name]);
        let copy = scratch.join(format!("copy-{number}"));
        let script = format!(
            "cp -r '{}' '{}' && cd '{1}' && mv .git/objects/pack ../packs-{number} && \
             mkdir .git/objects/pack && \
             for pack in ../packs-{number}/*.pack; do git unpack-objects -q < $pack; done && \
             rm -f .git/objects/{}/{}",
            repository.display(),
            copy.display(),
            &oid[..2],
            &oid[2..]
        );
        let mut command = scratch.command("sh", ".");
        assert!(
            command
                .args(["-c", &script])
                .status()
                .expect("sh runs")
                .success()
        );
        let output = create(&scratch, &copy, &[]);
        refused(&scratch, output, 1, &[&oid, "missing"]);
        std::fs::remove_dir_all(scratch.join("out")).expect("it is there");
    }
}

#[test]
fn a_directory_that_holds_something_else() {
    let scratch = Scratch::new();
    let repository = scratch.repository("source.git", true, Shape::SMALL);
    std::fs::create_dir(scratch.join("out")).expect("a directory");
    std::fs::write(scratch.join("out/precious"), "mine").expect("a file");
    let output = create(&scratch, &repository, &[]);
    refused(&scratch, output, 1, &["is not empty"]);
    let restored = scratch.mug(".", &["pack", "restore", "source.git", "out"]);
    assert_ne!(restored.code(), Some(0), "{restored}");
    let kept = std::fs::read_to_string(scratch.join("out/precious"));
    assert_eq!(kept.expect("it is there"), "mine");
    assert_eq!(end_to_end::files(&scratch.join("out")).len(), 1);
}

#[test]
fn a_ref_that_does_not_exist() {
    let scratch = Scratch::new();
    let repository = scratch.repository("source.git", true, Shape::SMALL);
    let output = create(&scratch, &repository, &["main", "no-such-branch"]);
    refused(&scratch, output, 1, &["no-such-branch"]);
}

#[test]
fn a_pack_that_is_there_already_and_has_it_all() {
    let scratch = Scratch::new();
    let repository = scratch.repository("source.git", true, Shape::SMALL);
    create(&scratch, &repository, &[]).ok();
    let before = end_to_end::files(&scratch.join("out"));
    let output = create(&scratch, &repository, &[]).ok();
    assert!(output.stdout.contains("nothing new"), "{output}");
    assert_eq!(end_to_end::files(&scratch.join("out")), before);
}

#[test]
fn what_does_not_fit_the_operation() {
    let scratch = Scratch::new();
    let repository = scratch.repository("source.git", true, Shape::SMALL);
    create(&scratch, &repository, &[]).ok();
    let id = scratch.operations(&repository, &[])[0].id().to_owned();
    let resume = |args: &[&str]| {
        let args = [&["pack", "create"], args, &["--resume", &id]].concat();
        scratch.mug(&repository, &args)
    };
    let out = scratch.join("out");
    let out = out.to_str().expect("a scratch path is text");

    let completed = resume(&[out]).exits(1);
    let said = format!("{id} is completed already");
    assert!(completed.stderr.contains(&said), "{completed}");

    let unknown = ["pack", "create", out, "--resume", "op-00000000"];
    let unknown = scratch.mug(&repository, &unknown).exits(1);
    assert!(
        unknown.stderr.contains("there is no operation op-00000000"),
        "{unknown}"
    );
    assert!(unknown.stderr.contains("`mug resume` lists"), "{unknown}");

    let kind = ["pack", "restore", out, "new", "--resume", &id];
    let kind = scratch.mug(&repository, &kind).exits(1);
    assert!(kind.stderr.contains("no restore to"), "{kind}");
    assert!(!scratch.join("new").exists());
}

#[test]
fn arguments_that_contradict_what_was_begun() {
    let scratch = Scratch::new();
    let shape = end_to_end::Large {
        files: 20,
        commits: 200,
    };
    let repository = shape.make(&scratch, "source.git");
    let undisturbed = end_to_end::Undisturbed::run(&scratch, &repository, "undisturbed");
    let mut trial = end_to_end::Trial::new(&scratch, &repository, &undisturbed, "begun");
    let aim = end_to_end::Aim::At(end_to_end::Step::Frames, std::time::Duration::ZERO);
    assert!(!trial.turn(end_to_end::Means::Kill, aim, 1));
    let id = trial.id.clone().expect("an id");
    let begun = trial.out.to_str().expect("text").to_owned();
    let resume = |args: &[&str]| {
        let args = [&["pack", "create"], args, &["--resume", &id]].concat();
        scratch.mug(&repository, &args)
    };
    let other = scratch.join("other");
    let output = resume(&[other.to_str().expect("text")]).exits(2);
    assert!(
        output.stderr.contains(&format!("writes to {begun}")),
        "{output}"
    );
    let output = resume(&[&begun, "large"]).exits(2);
    assert!(
        output.stderr.contains("packs all refs, not large"),
        "{output}"
    );
    assert!(!other.exists());

    // The directory is taken by the operation that is to be continued.
    let output = scratch
        .mug(&repository, &["pack", "create", &begun])
        .exits(1);
    assert!(output.stderr.contains(&id), "{output}");

    // None of this has harmed it; the beginning of an id does.
    trial.id = Some(id[..14].to_owned());
    trial.finish(2);
    trial.check();
}

#[test]
fn a_pack_that_is_none_and_one_that_is_damaged() {
    let scratch = Scratch::new();
    let repository = scratch.repository("source.git", true, Shape::SMALL);
    let restore = |name: &str| scratch.mug(".", &["pack", "restore", name, "new"]);
    for (name, code) in [("missing", 1), ("source.git", 1)] {
        let output = restore(name).exits(code);
        assert!(output.stderr.contains(name), "{output}");
        assert!(!scratch.join("new").exists());
    }
    create(&scratch, &repository, &[]).ok();
    // One byte in the middle of the frames.
    let file = end_to_end::frame_file(&scratch.join("out")).expect("frames");
    let mut bytes = std::fs::read(&file).expect("bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let output = restore("out").exits(1);
    assert!(output.stderr.contains("frames-0000"), "{output}");
    assert!(!scratch.join("new/.git/HEAD").exists());
}
