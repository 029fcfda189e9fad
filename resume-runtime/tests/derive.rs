//! What the derive writes, held against the trait's contract.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test's machines explain themselves, and a panic is its failure"
)]

use resume_runtime::{
    Checkpoint, Context, RestoreError, Resumable, Step, StepError, StepInfo, StepResult, Transition,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Input {
    url: String,
}

#[derive(Resumable, Debug, PartialEq)]
#[resumable(kind = "download-v2", version = 2, input = Input, output = u64, env = Vec<u8>,
            migrate(1 => v1::upgrade))]
enum Download {
    #[step(start)]
    Probe(Probe),
    #[step]
    FetchBody(Fetch),
    #[step(name = "check")]
    Verify(Verify),
    #[step(effect)]
    Install(Install),
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Probe {
    tries: u8,
}
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Fetch {
    len: u64,
    tag: String,
}
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Verify;
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Install {
    len: Option<u64>,
}

impl Step<Download> for Probe {
    async fn run(self, _: &mut Context<'_, Download>) -> StepResult<Download> {
        Transition::to(Fetch {
            len: 1,
            tag: String::new(),
        })
    }
}
impl Step<Download> for Fetch {
    async fn run(self, _: &mut Context<'_, Download>) -> StepResult<Download> {
        Transition::to(Verify)
    }
}
impl Step<Download> for Verify {
    async fn run(self, _: &mut Context<'_, Download>) -> StepResult<Download> {
        Transition::to(Install { len: None })
    }
}
impl Step<Download> for Install {
    async fn run(self, _: &mut Context<'_, Download>) -> StepResult<Download> {
        match self.len {
            Some(len) => Transition::done(len),
            None => Err(StepError::fatal("no length")),
        }
    }
}

mod v1 {
    use super::{Checkpoint, Deserialize, Download, Fetch, Probe, RestoreError};

    #[derive(Deserialize)]
    struct OldFetch {
        len: u64,
        etag: Option<String>,
    }

    pub(super) fn upgrade(old: &Checkpoint) -> Result<Download, RestoreError> {
        Ok(match old.step.as_str() {
            "fetch" => match old.body_as()? {
                OldFetch {
                    len,
                    etag: Some(tag),
                } => Fetch { len, tag }.into(),
                OldFetch { etag: None, .. } => Probe::default().into(),
            },
            other => return Err(RestoreError::UnknownStep(other.into())),
        })
    }
}

fn every_step() -> Vec<Download> {
    vec![
        Probe { tries: 3 }.into(),
        Fetch {
            len: u64::MAX,
            tag: "\"a\"".into(),
        }
        .into(),
        Verify.into(),
        Install { len: Some(7) }.into(),
    ]
}

fn stored(step: &str, version: u32, body: &str) -> Checkpoint {
    Checkpoint {
        step: step.into(),
        version,
        body: serde_json::from_str(body).unwrap(),
    }
}

#[test]
fn the_constants_are_those_of_the_attributes() {
    assert_eq!(Download::KIND, "download-v2");
    assert_eq!(Download::VERSION, 2);
    assert_eq!(
        Download::STEPS,
        [
            StepInfo::new("probe"),
            StepInfo::new("fetch_body"),
            StepInfo::new("check"),
            StepInfo::effect("install"),
        ]
    );
}

#[test]
fn every_step_comes_back_as_it_was_stored() {
    let names = ["probe", "fetch_body", "check", "install"];
    for (machine, name) in every_step().into_iter().zip(names) {
        let checkpoint = machine.checkpoint().unwrap();
        assert_eq!(checkpoint.step, name);
        assert_eq!(checkpoint.version, 2);
        // Through the bytes, as the store does it.
        let bytes = serde_json::to_vec(&checkpoint).unwrap();
        let checkpoint = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(Download::restore(&checkpoint).unwrap(), machine);
    }
}

#[test]
fn info_is_the_steps_own() {
    let infos: Vec<_> = every_step().iter().map(Resumable::info).collect();
    assert_eq!(infos, Download::STEPS.iter().collect::<Vec<_>>());
    assert!(infos[3].effect && !infos[2].effect);
}

#[test]
fn an_operation_starts_with_the_default_of_the_start_state() {
    assert_eq!(Download::start(), Download::Probe(Probe { tries: 0 }));
}

#[test]
fn an_older_state_is_migrated() {
    let kept = stored("fetch", 1, r#"{"len":9,"etag":"x"}"#);
    assert_eq!(
        Download::restore(&kept).unwrap(),
        Download::FetchBody(Fetch {
            len: 9,
            tag: "x".into()
        })
    );
    let dropped = stored("fetch", 1, r#"{"len":9,"etag":null}"#);
    assert_eq!(Download::restore(&dropped).unwrap(), Download::start());
    // The old name belongs to the old version alone.
    let error = Download::restore(&stored("fetch", 2, r#"{"len":9,"tag":"x"}"#)).unwrap_err();
    assert!(matches!(error, RestoreError::UnknownStep(step) if step == "fetch"));
}

#[test]
fn what_this_build_cannot_read_is_refused_with_its_reason() {
    let restore = |step, version, body| Download::restore(&stored(step, version, body));
    assert!(matches!(
        restore("probe", 3, "{}").unwrap_err(),
        RestoreError::Newer {
            stored: 3,
            known: 2
        }
    ));
    assert!(matches!(
        restore("probe", 0, "{}").unwrap_err(),
        RestoreError::NoMigration(0)
    ));
    assert!(matches!(
        restore("walk", 2, "{}").unwrap_err(),
        RestoreError::UnknownStep(step) if step == "walk"
    ));
    assert!(matches!(
        restore("fetch_body", 2, r#"{"len":"many"}"#).unwrap_err(),
        RestoreError::Unreadable { step, version: 2, .. } if step == "fetch_body"
    ));
}

/// An author whose names are those that the derive could stumble over, and who
/// reaches the runtime under another path.
#[allow(
    dead_code,
    non_camel_case_types,
    non_upper_case_globals,
    reason = "the names only have to be in the way"
)]
mod shadowed {
    mod elsewhere {
        pub(super) mod runtime {
            pub(in super::super) use resume_runtime::*;
        }
    }
    struct Result;
    struct Option;
    struct String;
    struct Vec;
    struct Context;
    struct Checkpoint;
    struct str;
    struct u32;
    trait Default {}
    trait From {}
    trait Step {}
    const state: u8 = 1;
    const checkpoint: u8 = 1;
    const stored: u8 = 1;
    const unknown: u8 = 1;

    #[derive(elsewhere::runtime::Resumable)]
    #[resumable(kind = "shadowed", version = 2, crate = elsewhere::runtime)]
    #[resumable(migrate(1 => |old| Err(elsewhere::runtime::RestoreError::NoMigration(old.version))))]
    pub(super) enum Machine {
        #[step(start, effect)]
        Input(r#type),
    }

    #[derive(Debug, PartialEq, core::default::Default, serde::Serialize, serde::Deserialize)]
    pub(super) struct r#type(pub(super) core::option::Option<core::primitive::u32>);

    use core::result::Result::Err;
    impl elsewhere::runtime::Step<Machine> for r#type {
        async fn run(
            self,
            _: &mut elsewhere::runtime::Context<'_, Machine>,
        ) -> elsewhere::runtime::StepResult<Machine> {
            elsewhere::runtime::Transition::done(())
        }
    }
}

#[test]
fn no_name_of_the_author_gets_in_the_way() {
    let checkpoint = shadowed::Machine::start().checkpoint().unwrap();
    let shadowed::Machine::Input(state) = shadowed::Machine::restore(&checkpoint).unwrap();
    assert_eq!(state, shadowed::r#type(None));
    assert_eq!(shadowed::Machine::STEPS, [StepInfo::effect("input")]);
}

#[test]
fn a_version_can_be_given_up() {
    let Err(error) = shadowed::Machine::restore(&stored("input", 1, "null")) else {
        panic!("version 1 was given up");
    };
    assert!(matches!(error, RestoreError::NoMigration(1)));
}

#[test]
fn mistakes_are_reported_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
