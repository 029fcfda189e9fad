//! The enum as it was written, right or wrong.

use syn::{Data, DeriveInput, Fields, Ident, Path, Type, parse_quote};

use crate::attr::{self, MachineAttrs, StepAttrs};
use crate::errors::Errors;

/// What carries the derive.
pub(crate) struct Parsed<'a> {
    pub(crate) item: &'a DeriveInput,
    pub(crate) attrs: MachineAttrs,
    /// `None` when the item is no enum.
    pub(crate) variants: Option<Vec<Variant<'a>>>,
}

/// A variant.
pub(crate) struct Variant<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) fields: &'a Fields,
    /// `None` without `#[step]`.
    pub(crate) attrs: Option<StepAttrs>,
}

impl<'a> Parsed<'a> {
    /// Reads `item` and puts what cannot be read into `errors`.
    pub(crate) fn new(item: &'a DeriveInput, errors: &mut Errors) -> Self {
        let attrs = attr::machine(&item.attrs, errors);
        let variants = match &item.data {
            Data::Enum(data) => Some(
                data.variants
                    .iter()
                    .map(|variant| {
                        for field in &variant.fields {
                            attr::none(&field.attrs, errors);
                        }
                        Variant {
                            ident: &variant.ident,
                            fields: &variant.fields,
                            attrs: attr::step(&variant.attrs, errors),
                        }
                    })
                    .collect(),
            ),
            Data::Struct(_) | Data::Union(_) => None,
        };
        Self {
            item,
            attrs,
            variants,
        }
    }

    /// The path of the runtime crate.
    pub(crate) fn runtime(&self) -> Path {
        let written = self.attrs.runtime.clone();
        written.unwrap_or_else(|| parse_quote!(::resume_runtime))
    }

    /// The associated types, in the order input, output, env.
    pub(crate) fn types(&self) -> [Type; 3] {
        [&self.attrs.input, &self.attrs.output, &self.attrs.env]
            .map(|written| written.clone().unwrap_or_else(|| parse_quote!(())))
    }
}

impl<'a> Variant<'a> {
    /// The one state that the variant should hold.
    pub(crate) fn state(&self) -> Option<&'a Type> {
        match self.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Some(&fields.unnamed[0].ty),
            _ => None,
        }
    }
}
