//! Addresses, and what the configuration makes of them.

use super::super::address::Place;
use super::super::{Address, ConnectionError, Settings};

fn settings(config: &str) -> Settings {
    let none = Settings::from_file(gix::config::File::default()).unwrap();
    none.with_config(config).unwrap()
}

fn place(text: &str) -> Place {
    Address::parse(text, &settings("")).unwrap().place
}

#[test]
fn every_form_of_an_address_is_known() {
    for text in ["/srv/x.git", "./x:y", "../x", "x.git", "file:///srv/x.git"] {
        assert!(matches!(place(text), Place::Local { .. }), "{text}");
    }
    assert_eq!(
        place("git://host:99/x"),
        Place::Git {
            host: "host".into(),
            port: Some(99),
            path: "/x".into()
        }
    );
    let ssh = |user: Option<&str>, port, path: &str| Place::Ssh {
        user: user.map(str::to_owned),
        host: "host".into(),
        port,
        path: path.into(),
    };
    assert_eq!(place("me@host:x/y.git"), ssh(Some("me"), None, "x/y.git"));
    assert_eq!(place("host:/x"), ssh(None, None, "/x"));
    assert_eq!(place("ssh://me@host:22/x"), ssh(Some("me"), Some(22), "/x"));
    assert_eq!(place("ssh://host/~me/x"), ssh(None, None, "~me/x"));
    let http = |base: &str| Place::Http { base: base.into() };
    assert_eq!(place("https://host/x%20y"), http("https://host/x%20y"));
    assert_eq!(place("https://me:it@host/x"), http("https://host/x"));
    for text in [
        "",
        "https:///x",
        "ssh://-oProxyCommand=x/y",
        "-oProxyCommand=x:y",
        "ssh://-user@host/x",
        "https://host/x\ny",
        "https://host/x y",
        "git://host/x\nhost=other",
    ] {
        let error = Address::parse(text, &settings("")).unwrap_err();
        assert!(
            matches!(error, ConnectionError::Address { .. }),
            "{text}: {error}"
        );
    }
    for text in ["ext::sh -c x", "foo::bar", "foo://bar/x", "ftp://host/x"] {
        let error = Address::parse(text, &settings("")).unwrap_err();
        assert!(
            matches!(error, ConnectionError::Unsupported { .. }),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_password_is_nowhere_to_be_seen() {
    for text in [
        "https://me:hidden@host/x",
        "https://me@corp.example:hidden@host/x",
        "https://me:hid@hidden@host/x",
        "ssh://me:hidden@host/x",
        "https://me:hidden@/x",
        "https://me:hidden@host/x\x01 y",
        "foo://me:hidden@host/x",
    ] {
        let seen = match Address::parse(text, &settings("")) {
            Ok(it) => format!(
                "{it} {it:?} {} {:?} {:?}",
                it.stored(),
                it.place,
                it.shown()
            ),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!seen.contains("hidden"), "{text}: {seen}");
    }
    let it = Address::parse("https://me:hidden@host/x", &settings("")).unwrap();
    assert_eq!(it.stored(), "https://me@host/x");
    assert_eq!(it.login(), (Some("me"), Some("hidden")));
}

#[test]
fn the_longest_prefix_is_replaced() {
    let settings = settings(
        "[url \"https://host/\"]\n insteadOf = h:\n insteadOf = hh\n\
         [url \"/srv/\"]\n insteadOf = h:deep/\n\
         [url \"ssh://me:hidden@host/\"]\n pushInsteadOf = h:\n",
    );
    let fetch = |text: &str| Address::parse(text, &settings).unwrap();
    let push = |text, explicit| Address::parse_for_push(text, explicit, &settings).unwrap();
    assert_eq!(fetch("h:x").shown(), "https://host/x");
    assert_eq!(fetch("h:x").stored(), "h:x");
    assert_eq!(fetch("h:deep/x").shown(), "/srv/x");
    assert!(fetch("h:deep/x").is_path());
    assert_eq!(push("h:x", false).shown(), "ssh://me@host/x");
    assert_eq!(push("h:x", true).shown(), "https://host/x");
    assert_eq!(push("hhx", false).shown(), "https://host/x");
}

#[test]
fn what_is_not_allowed_is_not_done() {
    let refuse = settings("[protocol \"ssh\"]\n allow = never\n");
    assert!(Address::parse("host:x", &refuse).is_err());
    assert!(Address::parse("/x", &refuse).is_ok());
    let refuse = settings("[protocol]\n allow = never\n[protocol \"https\"]\n allow = always\n");
    assert!(Address::parse("https://host/x", &refuse).is_ok());
    assert!(Address::parse("git://host/x", &refuse).is_err());
}

#[test]
fn settings_say_what_is_wrong_with_them() {
    let none = Settings::from_file(gix::config::File::default()).unwrap();
    assert_eq!((none.version(), none.stall().as_secs()), (2, 60));
    for bad in [
        "[protocol]\n version = 3\n",
        "[mug]\n stallTimeout = 0\n",
        "[mug]\n stallTimeout = soon\n",
    ] {
        let error = none.clone().with_config(bad).unwrap_err();
        assert!(
            matches!(error, ConnectionError::Configuration { .. }),
            "{bad}"
        );
    }
    let set = none.with_config("[protocol]\n version = 0\n[mug]\n stallTimeout = 1.5\n");
    let set = set.unwrap();
    assert_eq!((set.version(), set.stall().as_millis()), (0, 1500));
}

#[test]
fn a_file_that_a_server_names_is_found_and_its_url_not_shown() {
    let settings = settings("");
    let server = Address::parse("https://host/a/b.git", &settings).unwrap();
    for (uri, expected, foreign) in [
        (
            "https://HOST:443/x?secret",
            "https://HOST:443/x?secret",
            false,
        ),
        ("http://host/x", "http://host/x", true),
        (
            "https://me:secret@cdn/x?secret",
            "https://cdn/x?secret",
            true,
        ),
        ("x", "https://host/a/b.git/x", false),
        ("./x/y?secret", "https://host/a/b.git/x/y?secret", false),
        ("../../x", "https://host/x", false),
    ] {
        let file = server.of_file(uri, &settings).unwrap();
        let base = expected.to_owned();
        assert_eq!(file.place, Place::Http { base }, "{uri}");
        assert_eq!(file.foreign, foreign, "{uri}");
        assert!(!format!("{file:?} {file} {}", file.stored()).contains("secret"));
    }
    for uri in [
        "/x",
        "../../../x",
        "file:///x",
        "ssh://host/x?secret",
        "https://",
    ] {
        let error = server.of_file(uri, &settings).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let local = Address::parse("/srv/a", &settings).unwrap();
    assert!(local.of_file("x", &settings).is_err());
    assert!(local.of_file("https://host/x", &settings).unwrap().foreign);
}

#[test]
fn one_server_has_many_spellings() {
    use super::super::address::same_server;
    assert!(same_server("https://Host/a", "https://host:443/b"));
    assert!(!same_server("https://host/a", "http://host/a"));
    assert!(!same_server("https://host/a", "https://host:444/a"));
}
