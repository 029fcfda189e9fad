//! An implementation beside errors: it has the right types and does nothing, so
//! that the errors are all that the author sees.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::parse_quote;

use crate::parse::{Parsed, Variant};

/// The error and the implementation.
pub(crate) fn expand(parsed: &Parsed<'_>, error: &syn::Error) -> TokenStream {
    let error = error.to_compile_error();
    if parsed.item.generics.lifetimes().next().is_some() {
        // Nothing of the trait's shape holds for a machine that borrows.
        return error;
    }
    let runtime = parsed.runtime();
    let machine = &parsed.item.ident;
    let [input, output, env] = parsed.types();

    // What the trait asks for; only generics do not already have it.
    let mut generics = parsed.item.generics.clone();
    if !generics.params.is_empty() {
        generics
            .make_where_clause()
            .predicates
            .push(parse_quote!(Self: ::core::marker::Send + 'static));
    }
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();

    let mut seen = HashSet::new();
    let conversions = parsed
        .variants
        .iter()
        .flatten()
        .filter_map(Variant::state)
        .filter(|state| seen.insert(state.to_token_stream().to_string()))
        .map(|state| {
            let (impl_generics, ty_generics, where_clause) = parsed.item.generics.split_for_impl();
            quote! {
                #[automatically_derived]
                impl #impl_generics ::core::convert::From<#state> for #machine #ty_generics
                #where_clause
                {
                    fn from(_: #state) -> Self {
                        ::core::unreachable!()
                    }
                }
            }
        });

    quote! {
        #error

        #[allow(unused_qualifications)]
        #[automatically_derived]
        impl #impl_generics #runtime::Resumable for #machine #ty_generics #where_clause {
            const KIND: &'static ::core::primitive::str = "";
            const VERSION: ::core::primitive::u32 = 1;
            const STEPS: &'static [#runtime::StepInfo] = &[];
            type Input = #input;
            type Output = #output;
            type Env = #env;

            fn start() -> Self {
                ::core::unreachable!()
            }
            fn info(&self) -> &'static #runtime::StepInfo {
                ::core::unreachable!()
            }
            fn checkpoint(
                &self,
            ) -> ::core::result::Result<#runtime::Checkpoint, #runtime::StepError> {
                ::core::unreachable!()
            }
            fn restore(
                _: &#runtime::Checkpoint,
            ) -> ::core::result::Result<Self, #runtime::RestoreError> {
                ::core::unreachable!()
            }
            async fn step(self, _: &mut #runtime::Context<'_, Self>) -> #runtime::StepResult<Self> {
                ::core::unreachable!()
            }
        }

        #(#conversions)*
    }
}
