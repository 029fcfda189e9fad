//! The derive behind `resume_runtime::Resumable`.
#![forbid(unsafe_code)]
