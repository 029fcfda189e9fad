//! From a blob's content to a file's: what attributes and configuration ask for, in Git's order
//! (`ident`, line ends, encoding, the filter's smudge command).

use std::borrow::Cow;
use std::io::Read;

use gix::attrs::StateRef;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::filter::plumbing::driver::{self, Operation, apply::Context};
use gix::filter::plumbing::eol::{self, AttributesDigest};
use gix::glob::pattern::Case;
use gix::index::entry::Mode;
use gix::worktree::Stack;
use gix::worktree::stack::State;
use gix::worktree::stack::state::attributes::Source;
use gix_hash::ObjectId;

use super::encoding;
use super::error::Refusal;
use super::ident;
use super::plan::Plan;

/// In the order in which they are read below.
const ATTRIBUTES: [&str; 6] = [
    "text",
    "crlf",
    "eol",
    "ident",
    "working-tree-encoding",
    "filter",
];

/// Converts the files of one tree; each thread has its own.
pub(super) struct Converter {
    attributes: Stack,
    outcome: gix::attrs::search::Outcome,
    options: gix::filter::plumbing::pipeline::Options,
    drivers: driver::State,
    /// What filters are told of: the branch, and the commit or tree.
    branch: Option<BString>,
    treeish: ObjectId,
}

/// What a file is to hold.
pub(super) enum Converted<'a> {
    /// These bytes.
    Bytes(Cow<'a, [u8]>),
    /// What a filter writes. Should it fail, the bytes as they were before, if it may be left out.
    Filtered {
        output: Box<dyn Read + 'a>,
        instead: Option<Vec<u8>>,
    },
}

/// What the attributes of a path ask for.
struct Wanted {
    digest: AttributesDigest,
    ident: bool,
    encoding: Option<BString>,
    /// The place of the filter among those of the configuration.
    driver: Option<usize>,
}

impl Converter {
    pub(super) fn new(
        repository: &gix::Repository,
        plan: &Plan,
        attributes: Vec<(BString, ObjectId)>,
    ) -> Result<Self, Refusal> {
        let options = repository
            .checkout_options(Source::IdMapping)
            .map_err(Refusal::configuration)?;
        let case = case(options.fs.ignore_case);
        let attributes = Stack::new(
            &plan.worktree,
            State::AttributesStack(options.attributes),
            case,
            Vec::new(),
            attributes,
        );
        let mut context = repository
            .command_context()
            .map_err(Refusal::configuration)?;
        context.worktree_dir = Some(plan.worktree.clone());
        Ok(Self {
            outcome: attributes.selected_attribute_matches(ATTRIBUTES),
            attributes,
            options: gix::filter::Pipeline::options(repository).map_err(Refusal::configuration)?,
            drivers: driver::State::new(context),
            branch: plan.branch.clone(),
            treeish: plan.treeish,
        })
    }

    /// What the file at `path` is to hold of `content`, and a remark if that is not all that was
    /// asked for. An error says why there can be no such file.
    pub(super) fn convert<'a>(
        &'a mut self,
        objects: &gix::OdbHandle,
        path: &BStr,
        mode: Mode,
        blob: ObjectId,
        content: &'a [u8],
    ) -> Result<(Converted<'a>, Option<String>), String> {
        let wanted = self.wanted(objects, path, mode)?;
        let mut content = Cow::Borrowed(content);
        if wanted.ident
            && let Some(expanded) = ident::expand(&content, &blob)
        {
            content = Cow::Owned(expanded);
        }
        let mut lines = Vec::new();
        if eol::convert_to_worktree(&content, wanted.digest, &mut lines, self.options.eol_config)
            .map_err(|error| error.to_string())?
        {
            content = Cow::Owned(lines);
        }
        let mut remark = None;
        if let Some(label) = &wanted.encoding {
            match encoding::encode(label.as_ref(), &content) {
                Ok(encoded) => content = Cow::Owned(encoded),
                // Git writes it as it is, too.
                Err(failed) => {
                    let why = match failed {
                        encoding::Failed::Unknown => "that encoding is not known here",
                        encoding::Failed::Content => "it has characters that can't be",
                    };
                    remark = Some(format!("is not encoded as {label:?}: {why}"));
                }
            }
        }
        match wanted.driver {
            Some(driver) => Ok((self.filter(driver, path, blob, content)?, remark)),
            None => Ok((Converted::Bytes(content), remark)),
        }
    }

    fn filter<'a>(
        &'a mut self,
        driver: usize,
        path: &BStr,
        blob: ObjectId,
        content: Cow<'a, [u8]>,
    ) -> Result<Converted<'a>, String> {
        let driver = &self.options.drivers[driver];
        let told = Context {
            rela_path: path,
            ref_name: self.branch.as_ref().map(|name| name.as_bstr()),
            treeish: Some(self.treeish),
            blob: Some(blob),
        };
        let failed =
            |why: &dyn std::fmt::Display| format!("its filter {:?} failed: {why}", driver.name);
        let mut input = &*content;
        let applied = self
            .drivers
            .apply(driver, &mut input, Operation::Smudge, told);
        match applied {
            Ok(Some(output)) => Ok(Converted::Filtered {
                output,
                instead: (!driver.required).then(|| content.into_owned()),
            }),
            Ok(None) if driver.required => Err(failed(&"it has no command for this")),
            Err(error) if driver.required => Err(failed(&error)),
            _ => Ok(Converted::Bytes(content)),
        }
    }

    fn wanted(
        &mut self,
        objects: &gix::OdbHandle,
        path: &BStr,
        mode: Mode,
    ) -> Result<Wanted, String> {
        let at = self
            .attributes
            .at_entry(path, Some(mode), objects)
            .map_err(|error| format!("its attributes can't be read: {error}"))?;
        at.matching_attributes(&mut self.outcome);
        let mut states = self.outcome.iter_selected().map(|it| it.assignment.state);
        let mut next = || states.next().unwrap_or(StateRef::Unspecified);
        let (text, crlf, eol) = (next(), next(), next());
        let (ident, encoding, filter) = (next(), next(), next());
        let encoding = match encoding {
            StateRef::Value(label) if encoding::is_default(label.as_bstr()) => None,
            StateRef::Value(label) => Some(label.as_bstr().to_owned()),
            StateRef::Unspecified => None,
            StateRef::Set | StateRef::Unset => {
                return Err("its working-tree-encoding has no value".to_owned());
            }
        };
        let driver = filter.as_bstr().and_then(|name| {
            let mut drivers = self.options.drivers.iter();
            drivers.position(|driver| driver.name == *name)
        });
        Ok(Wanted {
            digest: super::eol::digest(text, crlf, eol, self.options.eol_config),
            ident: matches!(ident, StateRef::Set),
            encoding,
            driver,
        })
    }
}

fn case(ignore: bool) -> Case {
    if ignore { Case::Fold } else { Case::Sensitive }
}

/// Where attributes are read from: the tree itself, whether the files are there already or not.
pub(crate) fn attribute_files(
    repository: &gix::Repository,
    index: &gix::index::State,
) -> Vec<(BString, ObjectId)> {
    const NAME: &[u8] = b".gitattributes";
    let ignore_case = repository.config_snapshot().boolean("core.ignoreCase");
    let case = case(ignore_case.unwrap_or(false));
    let entries = index.entries().iter();
    entries
        .filter(|entry| matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE))
        .map(|entry| (entry.path(index), entry.id))
        .filter(|(path, _)| {
            let name = path.rsplit_once_str("/").map_or(&***path, |(_, name)| name);
            match case {
                Case::Sensitive => name == NAME,
                Case::Fold => name.eq_ignore_ascii_case(NAME),
            }
        })
        .map(|(path, id)| (path.to_owned(), id))
        .collect()
}
