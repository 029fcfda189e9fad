//! The derive behind `resume_runtime::Resumable`.
#![forbid(unsafe_code)]
#![allow(missing_docs)]
#[proc_macro_derive(Resumable, attributes(resumable, step))]
pub fn derive_resumable(_input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    proc_macro::TokenStream::new()
}
