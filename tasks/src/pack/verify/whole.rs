//! A verification in one go, without an operation around it.

use std::collections::BTreeMap;
use std::path::Path;

use super::contents::Units;
use super::survey::survey;
use super::{Report, VerifyError};

/// Verifies the pack in the directory `path` with so many threads; `full` as
/// [`Input::full`](super::Input::full).
pub fn verify(path: &Path, full: bool, threads: usize) -> Result<Report, VerifyError> {
    let survey = survey(path, full)?;
    let mut report = survey.plan.report(full);
    survey.damages.into_iter().for_each(|it| report.add(it));
    let mut absent = BTreeMap::new();
    if let Some(opened) = survey.opened {
        let mut units = Units::start(&opened, 0, threads);
        while let Some(checked) = units.next() {
            let checked = checked?;
            report.sound += checked.sound;
            checked.damages.into_iter().for_each(|it| report.add(it));
            for reference in checked.absent {
                absent.entry(reference.id.clone()).or_insert(reference);
            }
        }
    }
    for reference in absent.into_values() {
        report.add(reference.damage());
    }
    Ok(report)
}
