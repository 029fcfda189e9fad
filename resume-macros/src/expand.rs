//! The implementation.
//!
//! Every path is absolute, so nothing that the author calls `Result` or `Context`
//! gets in the way. Local names are hygienic, so that a migration sees none of
//! them, and begin with `__`, since a constant of the author's that has the same
//! name would turn a binding into a comparison. What the compiler may object to (a
//! state that cannot be stored, a step without a body) stands where the state
//! stands in the enum, all of it at one place, so that it objects once.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Expr, Path};

use crate::errors::Errors;
use crate::fallback;
use crate::parse::Parsed;
use crate::valid::{self, Machine, Step};

/// The implementation, or errors and a fallback.
pub(crate) fn derive(item: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let parsed = Parsed::new(item, &mut errors);
    let machine = valid::machine(&parsed, &mut errors);
    match (machine, errors.into_error()) {
        (Some(machine), None) => expand(&parsed, &machine),
        (_, Some(error)) => fallback::expand(&parsed, &error),
        // Whoever returns no machine says why.
        (None, None) => unreachable!("a machine was refused without a reason"),
    }
}

fn expand(parsed: &Parsed<'_>, machine: &Machine<'_>) -> TokenStream {
    let site = Span::mixed_site();
    let runtime = &parsed.runtime();
    let name = &parsed.item.ident;
    let [input, output, env] = parsed.types();
    let Machine { kind, version, .. } = machine;
    let [held, stored, cx] = ["__state", "__checkpoint", "__cx"].map(|name| Ident::new(name, site));

    let steps = machine.steps.iter().map(|s| step_info(runtime, s));
    let first = machine.start;
    let start = quote_spanned!(first.span()=> <#first as ::core::default::Default>::default());
    let infos = machine.steps.iter().enumerate().map(|(at, step)| {
        let variant = step.ident;
        quote_spanned!(site=> Self::#variant(_) => &<Self as #runtime::Resumable>::STEPS[#at],)
    });
    let writes = machine.steps.iter().map(|step| {
        let Step {
            ident, state, name, ..
        } = step;
        let write = quote_spanned! {state.span()=>
            <#state as #runtime::State>::store(#held, #name, #version)
        };
        quote_spanned!(site=> Self::#ident(__state) => #write,)
    });
    let reads = machine.steps.iter().map(|step| {
        let Step {
            ident, state, name, ..
        } = step;
        let read = quote_spanned! {state.span()=>
            <#state as #runtime::State>::load(#stored)?
        };
        quote_spanned!(site=> #name => ::core::result::Result::Ok(Self::#ident(#read)),)
    });
    let migrations = machine.migrations.iter().map(|m| migration(runtime, *m));
    let runs = machine.steps.iter().map(|step| {
        let Step { ident, state, .. } = step;
        let run = quote_spanned! {state.span()=>
            <#state as #runtime::Step<Self>>::run(#held, #cx).await
        };
        quote_spanned!(site=> Self::#ident(__state) => #run,)
    });
    let conversions = machine.steps.iter().map(|step| {
        let (variant, state) = (step.ident, step.state);
        quote_spanned! {site=>
            #[automatically_derived]
            impl ::core::convert::From<#state> for #name {
                fn from(__state: #state) -> Self {
                    Self::#variant(__state)
                }
            }
        }
    });

    quote_spanned! {site=>
        #[allow(unused_qualifications)]
        #[automatically_derived]
        impl #runtime::Resumable for #name {
            const KIND: &'static ::core::primitive::str = #kind;
            const VERSION: ::core::primitive::u32 = #version;
            const STEPS: &'static [#runtime::StepInfo] = &[#(#steps),*];
            type Input = #input;
            type Output = #output;
            type Env = #env;

            fn start() -> Self {
                <Self as ::core::convert::From<_>>::from(#start)
            }

            fn info(&self) -> &'static #runtime::StepInfo {
                match self { #(#infos)* }
            }

            fn checkpoint(
                &self,
            ) -> ::core::result::Result<#runtime::Checkpoint, #runtime::StepError> {
                match self { #(#writes)* }
            }

            fn restore(
                __checkpoint: &#runtime::Checkpoint,
            ) -> ::core::result::Result<Self, #runtime::RestoreError> {
                match __checkpoint.version {
                    #version => match __checkpoint.step.as_str() {
                        #(#reads)*
                        __unknown => ::core::result::Result::Err(
                            #runtime::RestoreError::UnknownStep(
                                ::core::convert::From::from(__unknown),
                            ),
                        ),
                    },
                    #(#migrations)*
                    __stored if __stored > #version => ::core::result::Result::Err(
                        #runtime::RestoreError::Newer { stored: __stored, known: #version },
                    ),
                    __stored => ::core::result::Result::Err(
                        #runtime::RestoreError::NoMigration(__stored),
                    ),
                }
            }

            async fn step(self, __cx: &mut #runtime::Context<'_, Self>) -> #runtime::StepResult<Self> {
                match self { #(#runs)* }
            }
        }

        #(#conversions)*
    }
}

fn step_info(runtime: &Path, step: &Step<'_>) -> TokenStream {
    let name = &step.name;
    if step.effect {
        quote!(#runtime::StepInfo::effect(#name))
    } else {
        quote!(#runtime::StepInfo::new(#name))
    }
}

fn migration(runtime: &Path, (from, run): (u32, &Expr)) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        #from => {
            let __migrate: fn(
                &#runtime::Checkpoint,
            ) -> ::core::result::Result<Self, #runtime::RestoreError> = #run;
            __migrate(__checkpoint)
        }
    }
}
