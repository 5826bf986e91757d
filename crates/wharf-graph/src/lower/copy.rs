//! COPY and ADD: files put into the stage's root.

use wharf_dockerfile::{
    ExpandOptions, FileMode, InstructionKind, Span, Word,
    ast::{FileTransfer, Heredoc},
    expand_with,
};
use wharf_oci::Digest;

use super::{
    error::{LowerError, LowerFault},
    from::From,
    git_url::{self, GitUrl},
    paths,
    stage::{Place, StageLowering},
    windows::{self, is_windows},
};
use crate::{
    copy::{CopyOp, CopySource, DownloadSource, FileSource, ParentsPattern, PathSource},
    op::Op,
    source::{ContextName, HttpSource, Source},
    step::{Input, Origin, StepId},
};

/// What COPY and ADD say, and what only one of them does.
struct Transfer<'i> {
    files: &'i FileTransfer,
    from: Option<&'i Word>,
    parents: bool,
    add: bool,
    checksum: Option<&'i Word>,
    keep_git_dir: Option<bool>,
    unpack: Option<bool>,
}

impl<'i> Transfer<'i> {
    fn of(kind: &'i InstructionKind) -> Option<Self> {
        match kind {
            InstructionKind::Copy(copy) => Some(Self {
                files: &copy.files,
                from: copy.from.as_ref(),
                parents: copy.parents,
                add: false,
                checksum: None,
                keep_git_dir: None,
                unpack: None,
            }),
            InstructionKind::Add(add) => Some(Self {
                files: &add.files,
                from: None,
                parents: false,
                add: true,
                checksum: add.checksum.as_ref(),
                keep_git_dir: add.keep_git_dir,
                unpack: add.unpack,
            }),
            _ => None,
        }
    }

    /// The text of the image's history.
    fn text(
        &self,
        sources: &[String],
        destination: &str,
        chown: Option<&str>,
        chmod: Option<&str>,
    ) -> String {
        let mut text = if self.add { "ADD" } else { "COPY" }.to_owned();
        let mut add = |prefix: &str, part: &str| text.extend([" ", prefix, part]);
        if self.parents {
            add("", "--parents");
        }
        if let Some(chown) = chown {
            add("--chown=", chown);
        }
        if let Some(chmod) = chmod {
            add("--chmod=", chmod);
        }
        for source in sources {
            add("", source);
        }
        for heredoc in &self.files.heredocs {
            add("<<", &heredoc.name);
        }
        add("", destination);
        add("", "# buildkit");
        text
    }
}

/// A COPY or ADD whose words are expanded, while its sources are collected.
struct Draft<'i> {
    transfer: Transfer<'i>,
    checksum: Option<(String, Span)>,
    origin: Origin,
    inputs: Vec<StepId>,
    sources: Vec<CopySource>,
}

impl StageLowering<'_> {
    pub(super) fn files(&mut self, place: Place<'_>, kind: &InstructionKind) -> Result<(), LowerError> {
        let Some(transfer) = Transfer::of(kind) else {
            return Ok(());
        };
        let files = transfer.files;
        let sources = self.expand_all(&files.sources)?;
        let written = self.expand(&files.destination)?;
        let chown = self.expand_flag(files.chown.as_ref())?;
        let chmod = self.expand_flag(files.chmod.as_ref())?;
        check_mode(chmod.as_deref(), files.chmod.as_ref())?;
        let dest = self
            .within(&written, true)
            .map_err(|fault| LowerError::new(files.destination.span, fault))?;
        let dest = paths::destination(self.working_dir(), &dest);
        let checksum = self.checksum(&transfer, &sources)?;
        let name = self.shown(place.code);
        let text = transfer.text(&sources, &written, chown.as_deref(), chmod.as_deref());
        let mut draft = Draft {
            transfer,
            checksum,
            origin: self.next_origin(place),
            inputs: vec![self.state.root],
            sources: Vec::new(),
        };
        for (source, word) in sources.iter().zip(&files.sources) {
            self.source(&mut draft, source, word.span)?;
        }
        for heredoc in &files.heredocs {
            let file = self.heredoc(heredoc)?;
            draft.sources.push(CopySource::File(file));
        }
        let op = CopyOp {
            sources: draft.sources,
            dest,
            chown,
            // The reference makes such a layer the usual way.
            link: files.link && chmod.is_none(),
            chmod,
            excludes: files.exclude.iter().map(|pattern| pattern.raw.clone()).collect(),
            add: draft.transfer.add,
        };
        let reuse = self.reusable();
        self.add_step(Op::Copy(op), draft.inputs, name, draft.origin, reuse);
        let layer = self.layer();
        self.remember(text, layer);
        Ok(())
    }

    /// A flag's value; one that is empty when expanded is not given.
    fn expand_flag(&self, word: Option<&Word>) -> Result<Option<String>, LowerError> {
        let value = word.map(|word| self.expand(word)).transpose()?;
        Ok(value.filter(|value| !value.is_empty()))
    }

    fn checksum(
        &self,
        transfer: &Transfer<'_>,
        sources: &[String],
    ) -> Result<Option<(String, Span)>, LowerError> {
        let Some(word) = transfer.checksum else {
            return Ok(None);
        };
        let value = self.expand(word)?;
        let fault = match sources {
            _ if value.is_empty() => return Ok(None),
            [source] if git_url::is_http(source) || matches!(GitUrl::parse(source), Ok(Some(_)) | Err(_)) => {
                return Ok(Some((value, word.span)));
            }
            [_] => LowerFault::ChecksumOfLocal,
            _ => LowerFault::ChecksumOfMany,
        };
        Err(LowerError::new(word.span, fault))
    }

    fn source(&mut self, draft: &mut Draft<'_>, source: &str, span: Span) -> Result<(), LowerError> {
        let fault = |fault: LowerFault| LowerError::new(span, fault);
        let git = GitUrl::parse(source).map_err(|error| fault(LowerFault::GitUrl(error)))?;
        let found = match git {
            Some(_) if !draft.transfer.add => return Err(fault(LowerFault::GitOfCopy)),
            Some(url) => self.checkout(draft, url, span)?,
            None if git_url::is_http(source) && !draft.transfer.add => {
                return Err(fault(LowerFault::UrlOfCopy));
            }
            None if git_url::is_http(source) => self.download(draft, source)?,
            None => {
                let path = self.within(source, true).map_err(fault)?;
                self.path(draft, &path)?
            }
        };
        draft.sources.push(found);
        Ok(())
    }

    fn checkout(
        &mut self,
        draft: &mut Draft<'_>,
        mut url: GitUrl,
        span: Span,
    ) -> Result<CopySource, LowerError> {
        match (draft.transfer.keep_git_dir, url.keep_git_dir) {
            (Some(flag), Some(query)) if flag != query => {
                return Err(LowerError::new(span, LowerFault::KeepGitDirConflict));
            }
            (flag, query) => url.keep_git_dir = query.or(flag),
        }
        if let Some((flag, span)) = &draft.checksum {
            match &url.checksum {
                Some(url) if url != flag => {
                    let (flag, url) = (flag.clone(), url.clone());
                    return Err(LowerError::new(*span, LowerFault::ChecksumConflict { flag, url }));
                }
                _ => url.checksum = Some(flag.clone()),
            }
        }
        let name = format!("fetch {}", url.remote);
        let step = self
            .builder
            .add_source(Source::Git(url.source()), name, Some(draft.origin.clone()));
        Ok(CopySource::Checkout(draft.input(step)))
    }

    fn download(&mut self, draft: &mut Draft<'_>, url: &str) -> Result<CopySource, LowerError> {
        let checksum: Option<Digest> = match &draft.checksum {
            Some((text, span)) => Some(
                text.parse()
                    .map_err(|error| LowerError::new(*span, LowerFault::Checksum(error)))?,
            ),
            None => None,
        };
        let file_name = file_name(url);
        let source = Source::Http(HttpSource {
            url: url.to_owned(),
            checksum,
            file_name: file_name.clone(),
        });
        let step = self
            .builder
            .add_source(source, format!("fetch {url}"), Some(draft.origin.clone()));
        Ok(CopySource::Download(DownloadSource {
            input: draft.input(step),
            file_name,
            unpack: draft.transfer.unpack.unwrap_or(false),
        }))
    }

    fn path(&mut self, draft: &mut Draft<'_>, written: &str) -> Result<CopySource, LowerError> {
        let (path, parents) = if draft.transfer.parents {
            let (path, pattern) = split_pivot(written);
            (path, Some(pattern))
        } else {
            (written, None)
        };
        let whole = paths::clean(written);
        let step = match draft.transfer.from {
            Some(from) => self.files_of(&From::of_copy(from), &whole)?,
            None => self.builder.context(&ContextName::Main, &whole),
        };
        Ok(CopySource::Path(PathSource {
            input: draft.input(step),
            path: paths::clean_keep_slash(path),
            parents,
            unpack: draft.transfer.unpack.unwrap_or(draft.transfer.add),
        }))
    }

    /// A path of the stage's files as they have it.
    fn within(&self, path: &str, keep_slash: bool) -> Result<String, LowerFault> {
        if path.is_empty() || !is_windows(&self.state.platform) {
            return Ok(path.to_owned());
        }
        Ok(windows::within(path, keep_slash)?)
    }

    fn heredoc(&self, heredoc: &Heredoc) -> Result<FileSource, LowerError> {
        let text = heredoc.text();
        let content = if heredoc.expand {
            let expansion = expand_with(&text, &|name| self.variable(name), ExpandOptions::heredoc_body());
            expansion
                .map_err(|error| LowerError::new(heredoc.body, LowerFault::Expand(error)))?
                .text
        } else {
            text.into_owned()
        };
        Ok(FileSource {
            name: heredoc.name.clone(),
            content,
        })
    }
}

impl Draft<'_> {
    fn input(&mut self, step: StepId) -> Input {
        // Position 0 is the root, also for a stage that copies from its own base.
        let known = self.inputs.iter().skip(1).position(|input| *input == step);
        if known.is_none() {
            self.inputs.push(step);
        }
        Input(known.map_or(self.inputs.len() - 1, |position| position + 1) as u32)
    }
}

fn check_mode(chmod: Option<&str>, word: Option<&Word>) -> Result<(), LowerError> {
    let (Some(chmod), Some(word)) = (chmod, word) else {
        return Ok(());
    };
    let mode: Result<FileMode, _> = chmod.parse();
    mode.map(drop)
        .map_err(|error| LowerError::new(word.span, LowerFault::FileMode(error)))
}

/// `COPY --parents a/./b/c`: what stays behind, and what is made again.
fn split_pivot(written: &str) -> (&str, ParentsPattern) {
    let (path, pattern) = written.split_once("/./").unwrap_or(("/", written));
    let required = !paths::has_wildcards(path) && !paths::has_wildcards(pattern);
    let pattern = paths::clean(pattern)[1..].to_owned();
    (path, ParentsPattern { pattern, required })
}

/// The last component of a URL's path, as BuildKit's `pathutil.SafeFileName` has it.
fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    match paths::base(&path) {
        "" | "." | ".." | "/" => "__unnamed__".to_owned(),
        name => name.replace('\0', "_"),
    }
}
