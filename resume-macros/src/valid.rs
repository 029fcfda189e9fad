//! From what was written to a machine that is right, or to errors on the author's
//! own tokens.

use std::collections::HashMap;

use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Expr, Fields, Ident, LitInt, LitStr, Type};

use crate::attr::Migration;
use crate::errors::Errors;
use crate::names;
use crate::parse::{Parsed, Variant};

/// A machine that can be expanded.
pub(crate) struct Machine<'a> {
    pub(crate) kind: &'a LitStr,
    pub(crate) version: u32,
    pub(crate) steps: Vec<Step<'a>>,
    pub(crate) start: &'a Type,
    /// One for each version before `version`.
    pub(crate) migrations: Vec<(u32, &'a Expr)>,
}

/// A variant that can be expanded.
pub(crate) struct Step<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) state: &'a Type,
    pub(crate) name: LitStr,
    pub(crate) effect: bool,
}

/// The machine, or `None` with the reasons in `errors`.
pub(crate) fn machine<'a>(parsed: &'a Parsed<'_>, errors: &mut Errors) -> Option<Machine<'a>> {
    let Some(variants) = &parsed.variants else {
        errors.at(
            &parsed.item.ident,
            "only an enum can be resumable: its variants are the steps",
        );
        return None;
    };
    if !parsed.item.generics.params.is_empty() {
        errors.at(
            &parsed.item.generics,
            "a resumable enum has no generics: its states are stored, and read back by name",
        );
    }
    let kind = kind(parsed, errors);
    let version = version(parsed, errors);
    let migrations = version.and_then(|version| migrations(parsed, version, errors));
    let steps = steps(variants, errors);
    distinct(&steps, errors);
    let start = start(parsed, variants, errors);
    Some(Machine {
        kind: kind?,
        version: version?,
        steps,
        start: start?.state()?,
        migrations: migrations?,
    })
}

/// Reports a key that is missing, at the attribute or, without one, at the enum.
fn missing(parsed: &Parsed<'_>, key: &str, example: &str, errors: &mut Errors) {
    if parsed.attrs.broken {
        return;
    }
    let message = format!("missing key `{key}`: `#[resumable({example})]`");
    match &parsed.attrs.written {
        Some(attr) => errors.at(attr, message),
        None => errors.at(&parsed.item.ident, message),
    }
}

fn kind<'a>(parsed: &'a Parsed<'_>, errors: &mut Errors) -> Option<&'a LitStr> {
    let Some(kind) = &parsed.attrs.kind else {
        missing(parsed, "kind", "kind = \"name\"", errors);
        return None;
    };
    if !names::is_kind(&kind.value()) {
        errors.at(
            kind,
            "a kind has lower-case letters, digits and dashes, begins with a letter, \
             and is at most 64 long",
        );
    }
    Some(kind)
}

fn version(parsed: &Parsed<'_>, errors: &mut Errors) -> Option<u32> {
    let Some(written) = &parsed.attrs.version else {
        missing(parsed, "version", "version = 1", errors);
        return None;
    };
    number(written, errors)
}

/// A version, from 1 on.
fn number(written: &LitInt, errors: &mut Errors) -> Option<u32> {
    let version = written.base10_parse().ok().filter(|version| *version > 0);
    if version.is_none() {
        errors.at(
            written,
            format!("a version is a number from 1 to {}", u32::MAX),
        );
    }
    version
}

/// The migrations, one for every version before `version`.
fn migrations<'a>(
    parsed: &'a Parsed<'_>,
    version: u32,
    errors: &mut Errors,
) -> Option<Vec<(u32, &'a Expr)>> {
    let mut known: HashMap<u32, &Expr> = HashMap::new();
    let mut sound = true;
    for Migration { from, run } in parsed.attrs.migrate.iter().flatten() {
        let problem = match number(from, errors) {
            None => {
                sound = false;
                continue;
            }
            Some(old) if old >= version => {
                format!("the machine's version is {version}: only an older one is migrated")
            }
            Some(old) => match known.insert(old, run) {
                None => continue,
                Some(_) => format!("duplicate migration from version {old}"),
            },
        };
        sound = false;
        errors.at(from, problem);
    }
    if !sound {
        return None;
    }
    // Ends at the first gap, so a huge version costs nothing.
    let mut migrations = Vec::new();
    for old in 1..version {
        let Some(run) = known.get(&old) else {
            errors.at(
                &parsed.attrs.version,
                format!("version {old} has no migration: add `{old} => path` to `migrate(..)`"),
            );
            return None;
        };
        migrations.push((old, *run));
    }
    Some(migrations)
}

/// The variants that are right by themselves.
fn steps<'a>(variants: &'a [Variant<'_>], errors: &mut Errors) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    for variant in variants {
        let state = state(variant, errors);
        let Some(attrs) = &variant.attrs else {
            errors.at(
                variant.ident,
                "every variant is a step: put `#[step]` before it",
            );
            continue;
        };
        let name = attrs.name.clone().unwrap_or_else(|| {
            let name = names::snake_case(&variant.ident.unraw().to_string());
            LitStr::new(&name, variant.ident.span())
        });
        if !names::is_step(&name.value()) {
            errors.at(
                &name,
                "a stored step's name has lower-case letters, digits, dashes and underscores, \
                 begins with a letter, and is at most 64 long: set it with `#[step(name = \"..\")]`",
            );
        }
        if let Some(state) = state {
            steps.push(Step {
                ident: variant.ident,
                state,
                name,
                effect: attrs.effect.is_some(),
            });
        }
    }
    steps
}

fn state<'a>(variant: &'a Variant<'_>, errors: &mut Errors) -> Option<&'a Type> {
    let name = variant.ident;
    if let Some(state) = variant.state() {
        return Some(state);
    }
    let expected = format!("a step holds exactly one state: `{name}({name})`");
    match variant.fields {
        Fields::Named(_) => errors.at(
            name,
            format!("{expected}, with these fields in a struct `{name}`"),
        ),
        Fields::Unnamed(fields) if fields.unnamed.len() > 1 => {
            errors.at(&fields.unnamed[1].ty, expected);
        }
        Fields::Unnamed(_) | Fields::Unit => errors.at(name, expected),
    }
    None
}

/// Each stored name and each state belongs to one step.
fn distinct(steps: &[Step<'_>], errors: &mut Errors) {
    let mut names = HashMap::new();
    let mut states = HashMap::new();
    for step in steps {
        let name = step.name.value();
        if let Some(first) = names.insert(name.clone(), step.ident) {
            errors.at(
                &step.name,
                format!("the stored name `{name}` is already that of step `{first}`"),
            );
        }
        let state = step.state.to_token_stream().to_string();
        if let Some(first) = states.insert(state, step.ident) {
            errors.at(
                step.state,
                format!("this is already the state of step `{first}`: give each step its own type"),
            );
        }
    }
}

fn start<'a>(
    parsed: &Parsed<'_>,
    variants: &'a [Variant<'_>],
    errors: &mut Errors,
) -> Option<&'a Variant<'a>> {
    let mut first: Option<&Variant<'_>> = None;
    for variant in variants {
        let Some(start) = variant.attrs.as_ref().and_then(|a| a.start.as_ref()) else {
            continue;
        };
        match first {
            None => first = Some(variant),
            Some(first) => errors.at(
                start,
                format!(
                    "the start is already `{}`: only one step can be",
                    first.ident
                ),
            ),
        }
    }
    let broken = |v: &Variant<'_>| v.attrs.as_ref().is_some_and(|attrs| attrs.broken);
    if first.is_none() && !variants.iter().any(broken) {
        errors.at(
            &parsed.item.ident,
            "no step is the start: mark one with `#[step(start)]`",
        );
    }
    first
}
