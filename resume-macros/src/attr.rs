//! `#[resumable(..)]` and `#[step(..)]` as they were written.

use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, LitInt, LitStr, Meta, Path, Token, Type, parenthesized};

use crate::errors::Errors;
use crate::names;

/// What `#[resumable(..)]` says. Nothing is checked beyond its syntax.
#[derive(Default)]
pub(crate) struct MachineAttrs {
    /// The attribute, to point at when something is missing in it.
    pub(crate) written: Option<Attribute>,
    /// Its end could not be read, so a key that seems missing may stand there.
    pub(crate) broken: bool,
    pub(crate) kind: Option<LitStr>,
    pub(crate) version: Option<LitInt>,
    pub(crate) input: Option<Type>,
    pub(crate) output: Option<Type>,
    pub(crate) env: Option<Type>,
    pub(crate) migrate: Option<Vec<Migration>>,
    pub(crate) runtime: Option<Path>,
}

/// `1 => v1::upgrade`
pub(crate) struct Migration {
    pub(crate) from: LitInt,
    pub(crate) run: Expr,
}

/// What `#[step(..)]` says.
#[derive(Default)]
pub(crate) struct StepAttrs {
    /// Its end could not be read, so a key that seems missing may stand there.
    pub(crate) broken: bool,
    pub(crate) start: Option<Ident>,
    pub(crate) effect: Option<Ident>,
    pub(crate) name: Option<LitStr>,
}

const MACHINE_KEYS: &[&str] = &[
    "kind", "version", "input", "output", "env", "migrate", "crate",
];
const STEP_KEYS: &[&str] = &["start", "effect", "name"];

/// Reads the attributes of the enum.
pub(crate) fn machine(attrs: &[Attribute], errors: &mut Errors) -> MachineAttrs {
    let mut machine = MachineAttrs::default();
    for attr in attrs {
        if attr.path().is_ident("step") {
            errors.at(attr, "`#[step]` belongs on a variant");
        }
        if !attr.path().is_ident("resumable") {
            continue;
        }
        machine.written.get_or_insert_with(|| attr.clone());
        let whole = keys(attr, MACHINE_KEYS, errors, |key, known, input, errors| {
            match known {
                "kind" => set(&mut machine.kind, key, value(input)?, errors),
                "version" => set(&mut machine.version, key, value(input)?, errors),
                "input" => set(&mut machine.input, key, value(input)?, errors),
                "output" => set(&mut machine.output, key, value(input)?, errors),
                "env" => set(&mut machine.env, key, value(input)?, errors),
                "migrate" => set(&mut machine.migrate, key, migrations(input)?, errors),
                _ => {
                    input.parse::<Token![=]>()?;
                    let path = input.call(Path::parse_mod_style)?;
                    set(&mut machine.runtime, key, path, errors);
                }
            }
            Ok(())
        });
        machine.broken |= !whole;
    }
    machine
}

/// Reads the attributes of a variant: `None` when none says that it is a step.
pub(crate) fn step(attrs: &[Attribute], errors: &mut Errors) -> Option<StepAttrs> {
    let mut step: Option<StepAttrs> = None;
    for attr in attrs {
        if attr.path().is_ident("resumable") {
            errors.at(attr, "`#[resumable]` belongs on the enum");
        }
        if !attr.path().is_ident("step") {
            continue;
        }
        if step.is_some() {
            errors.at(attr, "duplicate `#[step]`: write its keys in one");
        }
        let step = step.get_or_insert_default();
        if matches!(attr.meta, Meta::Path(_)) {
            continue;
        }
        let whole = keys(attr, STEP_KEYS, errors, |key, known, input, errors| {
            match known {
                "start" => set(&mut step.start, key, key.clone(), errors),
                "effect" => set(&mut step.effect, key, key.clone(), errors),
                _ => set(&mut step.name, key, value(input)?, errors),
            }
            Ok(())
        });
        step.broken |= !whole;
    }
    step
}

/// Helper attributes that were written where they say nothing.
pub(crate) fn none(attrs: &[Attribute], errors: &mut Errors) {
    for attr in attrs {
        if attr.path().is_ident("step") {
            errors.at(attr, "`#[step]` belongs on the variant, before its name");
        } else if attr.path().is_ident("resumable") {
            errors.at(attr, "`#[resumable]` belongs on the enum");
        }
    }
}

/// Goes through `key ..., key ...` of `attr`, and says whether it came to the end.
/// `read` gets the key, the known key that it stands for, and the input behind it.
///
/// An unknown key is an error, and is then taken for the one it looks like, so
/// that a slip of the finger is not reported as a missing key as well.
fn keys(
    attr: &Attribute,
    known: &[&'static str],
    errors: &mut Errors,
    mut read: impl FnMut(&Ident, &'static str, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) -> bool {
    let result = attr.parse_args_with(|input: ParseStream<'_>| {
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            match resolve(&key, known, errors) {
                Some(known) => read(&key, known, input, errors)?,
                None => skip_value(input)?,
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    });
    result.map_err(|error| errors.push(error)).is_ok()
}

fn resolve(key: &Ident, known: &[&'static str], errors: &mut Errors) -> Option<&'static str> {
    let text = key.to_string();
    if let Some(exact) = known.iter().find(|k| **k == text) {
        return Some(exact);
    }
    let meant = names::meant(&text, known);
    let help = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known are {}", known.join(", ")),
    };
    errors.at(key, format!("unknown key `{key}`: {help}"));
    meant
}

fn set<T>(slot: &mut Option<T>, key: &Ident, value: T, errors: &mut Errors) {
    if slot.is_some() {
        errors.at(key, format!("duplicate key `{key}`"));
    } else {
        *slot = Some(value);
    }
}

fn value<T: syn::parse::Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn migrations(input: ParseStream<'_>) -> syn::Result<Vec<Migration>> {
    let list;
    parenthesized!(list in input);
    let list = Punctuated::<Migration, Token![,]>::parse_terminated(&list)?;
    Ok(list.into_iter().collect())
}

impl syn::parse::Parse for Migration {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let from = input.parse()?;
        input.parse::<Token![=>]>()?;
        Ok(Self {
            from,
            run: input.parse()?,
        })
    }
}

fn skip_value(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}
