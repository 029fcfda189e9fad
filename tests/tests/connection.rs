//! What goes over the wire, against real servers: refs, and packs of what is asked for.

use std::io::Read as _;

use end_to_end::Scratch;
use end_to_end::line::{all, objects, open, pack, served, settings};
use end_to_end::server::{GitServer, HttpServer, Kind, Project, Shim};
use gix_hash::ObjectId;
use mug::transfer::connection::{ConnectionError, Haves, Request, ShallowChange};
use mug::transfer::missing::plan::ByIds;

/// That git takes `pack` for a whole one with this many objects.
#[track_caller]
fn check(scratch: &Scratch, name: &str, pack: &[u8]) -> String {
    std::fs::write(scratch.join(name), pack).expect("a file");
    scratch.git(".", &["index-pack", "--strict", name])
}

fn refs_of(scratch: &Scratch, dir: &str) -> Vec<(String, String)> {
    let list = scratch.git(dir, &["for-each-ref", "--format=%(refname) %(objectname)"]);
    let pairs = list.lines().filter_map(|it| it.split_once(' '));
    pairs
        .map(|(name, oid)| (name.to_owned(), oid.to_owned()))
        .collect()
}

#[test]
fn every_way_to_a_server_gives_the_same_refs_and_a_whole_pack() {
    let (scratch, http) = served();
    let git = GitServer::start(&scratch);
    let shim = Shim::new(&scratch);
    let path = scratch.join("project.git");
    let path = path.to_str().expect("a name");
    let expected = refs_of(&scratch, "project.git");
    let ssh = scratch.join("shim/ssh");
    let config = format!("[core]\n sshCommand = {}\n", ssh.display());
    let addresses = [
        http.url("project.git"),
        git.url("project.git"),
        path.to_owned(),
        format!("file://{path}"),
        format!("ssh://someone@host.example{path}"),
        format!("someone@host.example:{path}"),
    ];
    for version in [2, 1, 0] {
        for (at, url) in addresses.iter().enumerate() {
            let settings = settings(&config).with_version(version);
            let mut session = open(url, &settings);
            assert_eq!(session.version(), version, "{url}");
            let refs = session.refs(&[]).expect("refs");
            let head = refs.iter().find(|it| it.is_head()).expect("a HEAD");
            assert_eq!(head.symref.as_ref().expect("a branch"), "refs/heads/main");
            let mut found: Vec<(String, String)> = refs
                .iter()
                .filter(|it| !it.is_head())
                .map(|it| {
                    (
                        it.name.to_string(),
                        it.target.expect("an object").to_string(),
                    )
                })
                .collect();
            found.sort();
            assert_eq!(found, expected, "{url}");
            assert!(refs.iter().any(|it| it.peeled.is_some()), "{url}");
            let (bytes, again) = pack(session, &all(&refs));
            check(&scratch, &format!("{version}-{at}.pack"), &bytes);
            let forgets = url.starts_with("http");
            assert_eq!(again.is_some(), version == 2 || forgets, "{url}");
        }
    }
    assert!(
        shim.calls()
            .iter()
            .all(|it| it.contains("someone@host.example"))
    );
    // One connection is enough for a second request.
    let settings = settings(&config);
    for url in &addresses {
        let mut session = open(url, &settings);
        let refs = session.refs(&[]).expect("refs");
        let (first, session) = pack(session, &all(&refs));
        let (second, _) = pack(session.expect("it goes on"), &all(&refs));
        assert_eq!(first.len(), second.len(), "{url}");
    }
}

#[test]
fn the_refs_with_a_prefix_are_listed() {
    let (_scratch, server) = served();
    let settings = settings("");
    for version in [2, 0] {
        let settings = settings.clone().with_version(version);
        let mut session = open(&server.url("project.git"), &settings);
        let refs = session.refs(&["refs/tags/".into()]).expect("refs");
        assert!(!refs.is_empty());
        assert!(refs.iter().all(|it| it.name.starts_with(b"refs/tags/")));
    }
}

#[test]
fn servers_say_what_they_are_able_to() {
    let (scratch, server) = served();
    let url = server.url("project.git");
    let settings = settings("");
    let old = settings.clone().with_version(0);
    let stock = open(&url, &settings).abilities();
    assert_eq!(stock.ids, ByIds::Objects);
    assert!(!stock.blob_none && !stock.tree_zero);
    assert_eq!(open(&url, &old).abilities().ids, ByIds::Refs);
    let set = |key: &str| scratch.git("project.git", &["config", key, "true"]);
    set("uploadpack.allowFilter");
    set("uploadpack.allowReachableSHA1InWant");
    let able = open(&url, &settings).abilities();
    assert!(able.blob_none && able.tree_zero);
    let able = open(&url, &old).abilities();
    assert_eq!(able.ids, ByIds::Commits);
    assert!(able.blob_none);
    // The old protocols have no word for any object.
    set("uploadpack.allowAnySHA1InWant");
    assert_eq!(open(&url, &old).abilities().ids, ByIds::Commits);
}

#[test]
fn history_and_blobs_are_left_out_on_request() {
    let (scratch, server) = served();
    scratch.git("project.git", &["config", "uploadpack.allowFilter", "true"]);
    for version in [2, 0] {
        let settings = settings("").with_version(version);
        let mut session = open(&server.url("project.git"), &settings);
        let refs = session.refs(&["refs/heads/main".into()]).expect("refs");
        let whole = pack(session, &all(&refs)).0;
        let request = Request {
            depth: Some(1),
            filter: Some("blob:none".into()),
            ..all(&refs)
        };
        let session = open(&server.url("project.git"), &settings);
        let mut reply = session.fetch(&request).expect("a reply");
        let tip = refs[0].target.expect("a tip");
        assert_eq!(reply.shallow, [ShallowChange::Shallow(tip)]);
        let mut part = Vec::new();
        reply.pack.read_to_end(&mut part).expect("a pack");
        assert!(part.len() < whole.len());
        let asked = server.served_as(Kind::Fetch).pop().expect("a request");
        assert_eq!(asked.question.deepen.as_deref(), Some("deepen 1"));
        assert_eq!(asked.question.filter.as_deref(), Some("blob:none"));
    }
}

#[test]
fn an_empty_repository_has_an_unborn_head() {
    let scratch = Scratch::new();
    scratch.git(
        ".",
        &["init", "--quiet", "--bare", "-b", "trunk", "empty.git"],
    );
    let server = HttpServer::start(&scratch);
    let path = scratch.join("empty.git");
    for url in [&server.url("empty.git"), path.to_str().expect("a name")] {
        let mut session = open(url, &settings(""));
        let refs = session.refs(&[]).expect("refs");
        let heads: Vec<_> = refs
            .iter()
            .map(|it| (it.target, it.symref.clone()))
            .collect();
        assert_eq!(heads, [(None, Some("refs/heads/trunk".into()))]);
        let mut old = open(url, &settings("").with_version(0));
        assert_eq!(old.refs(&[]).expect("refs"), []);
    }
}

/// The commits of a repository here, the newest first.
struct Listed(Vec<ObjectId>);

impl Haves for Listed {
    fn next(&mut self, most: usize) -> Result<Vec<ObjectId>, ConnectionError> {
        let take = self.0.len().min(most);
        Ok(self.0.drain(..take).collect())
    }

    fn common(&mut self, _: ObjectId) -> Result<(), ConnectionError> {
        self.0.clear();
        Ok(())
    }
}

#[test]
fn what_is_here_is_not_sent_again() {
    let scratch = Scratch::new();
    let path = Project::LITTLE.make(&scratch, "project.git");
    let server = HttpServer::start(&scratch);
    let git = GitServer::start(&scratch);
    scratch.git(
        ".",
        &["clone", "--quiet", "--bare", "project.git", "here.git"],
    );
    Project::LITTLE.grow(&scratch, &path, 1);
    let list = scratch.git("here.git", &["rev-list", "--all"]);
    let here: Vec<ObjectId> = list.lines().map(|it| it.parse().expect("an id")).collect();
    for version in [2, 1, 0] {
        for url in [server.url("project.git"), git.url("project.git")] {
            let settings = settings("").with_version(version);
            let mut session = open(&url, &settings);
            let refs = session.refs(&["refs/heads/".into()]).expect("refs");
            let request = Request {
                thin: true,
                include_tag: true,
                ..all(&refs)
            };
            let mut reply = session
                .negotiate(&request, &mut Listed(here.clone()))
                .expect("a reply");
            assert!(!reply.common.is_empty());
            let mut part = Vec::new();
            reply.pack.read_to_end(&mut part).expect("a pack");
            let whole = pack(open(&url, &settings), &all(&refs)).0;
            assert!(objects(&part) < objects(&whole), "version {version} {url}");
            // It is complete together with what is here.
            let name = format!("{version}.git");
            let _ = std::fs::remove_dir_all(scratch.join(&name));
            scratch.git(".", &["clone", "--quiet", "--bare", "here.git", &name]);
            std::fs::write(scratch.join("part"), &part).expect("a file");
            let script = "git index-pack --stdin --fix-thin < ../part";
            let mut command = scratch.command("sh", &name);
            assert!(command.args(["-c", script]).status().expect("sh").success());
            for it in &refs {
                let target = it.target.expect("an object").to_string();
                scratch.git(&name, &["rev-list", "--objects", "--quiet", &target]);
            }
        }
    }
}

#[test]
fn objects_that_are_whole_here_are_left_out() {
    let (scratch, server) = served();
    let settings = settings("");
    let mut session = open(&server.url("project.git"), &settings);
    let refs = session.refs(&["refs/heads/main".into()]).expect("refs");
    let older = scratch.git("project.git", &["rev-parse", "main~5"]);
    let tree = scratch.git("project.git", &["rev-parse", "main^{tree}"]);
    let mut sent = vec![objects(&pack(session, &all(&refs)).0)];
    for have in [older, tree] {
        let request = Request {
            haves: vec![have.parse().expect("an id")],
            ..all(&refs)
        };
        let session = open(&server.url("project.git"), &settings);
        sent.push(objects(&pack(session, &request).0));
    }
    assert!(sent[1] < sent[0] && sent[2] < sent[0], "{sent:?}");
}
