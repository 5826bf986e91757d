//! Values of single flags: sizes, hosts, limits, secrets, agents, contexts. Syntax is that of `docker buildx build`.

use std::{env, net::IpAddr, path::PathBuf};

use wharf_build::exec::Percent;
use wharf_build::request::{Annotation, AnnotationLevel, NamedContext, Secret, SshAgent};
use wharf_graph::GitUrl;
use wharf_oci::Platform;

use super::{UsageError, fields};

/// `64m`, `1.5GiB`, `1024`: bytes, in powers of 1024 as Docker reads them.
pub(crate) fn byte_size(flag: &'static str, text: &str) -> Result<u64, UsageError> {
    let bad = || UsageError::value(flag, text, "a size such as 64m or 2g");
    let lower = text.trim().to_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match lower[digits.len()..].trim_end_matches('b').trim_end_matches('i') {
        "" => 1_u64,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err(bad()),
    };
    let number: f64 = digits.trim().parse().map_err(|_| bad())?;
    if number < 0.0 || !number.is_finite() {
        return Err(bad());
    }
    Ok((number * unit as f64) as u64)
}

/// `50`, `50%`.
pub(crate) fn percent(flag: &'static str, text: &str) -> Result<Percent, UsageError> {
    text.parse()
        .map_err(|_| UsageError::value(flag, text, "a number from 1 to 100"))
}

/// `--add-host=name:ip` (also `name=ip`; an IPv6 address may stand in brackets).
pub(crate) fn host(text: &str) -> Result<(String, IpAddr), UsageError> {
    let bad = || UsageError::value("--add-host", text, "host:ip");
    let (name, address) = text
        .split_once('=')
        .or_else(|| text.split_once(':'))
        .ok_or_else(bad)?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if name.is_empty() {
        return Err(bad());
    }
    Ok((name.to_owned(), address.parse().map_err(|_| bad())?))
}

/// `--ulimit=nofile=1024:2048`; -1 is "no limit".
pub(crate) fn ulimit(text: &str) -> Result<(String, (u64, u64)), UsageError> {
    let bad = || UsageError::value("--ulimit", text, "name=soft[:hard]");
    let (name, limits) = text.split_once('=').ok_or_else(bad)?;
    if !ULIMITS.contains(&name) {
        return Err(UsageError::value(
            "--ulimit",
            text,
            &format!("one of {}", ULIMITS.join(", ")),
        ));
    }
    let number = |text: &str| {
        if text == "-1" {
            Some(u64::MAX)
        } else {
            text.parse().ok()
        }
    };
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let (soft, hard) = (number(soft).ok_or_else(bad)?, number(hard).ok_or_else(bad)?);
    if soft > hard {
        return Err(UsageError::value(
            "--ulimit",
            text,
            "a soft limit that is not above the hard one",
        ));
    }
    Ok((name.to_owned(), (soft, hard)))
}

const ULIMITS: &[&str] = &[
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `KEY=VALUE`; `None` when there is no `=`.
pub(crate) fn assignment(text: &str) -> (String, Option<String>) {
    match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// `--build-arg`: a name alone takes the environment's value, if there is one.
pub(crate) fn build_arg(text: &str) -> Result<(String, Option<String>), UsageError> {
    let (key, value) = assignment(text);
    if key.is_empty() {
        return Err(UsageError::value("--build-arg", text, "KEY=VALUE"));
    }
    let value = value.or_else(|| env::var(&key).ok());
    Ok((key, value))
}

/// `--secret id=…[,type=file|env][,src=…|,env=…]`: without a source, the variable of that name, else the file of that name.
pub(crate) fn secret(text: &str) -> Result<(String, Secret), UsageError> {
    let (mut id, mut source, mut variable, mut kind) = (None, None, None, None);
    for field in fields::parse(text).map_err(|error| UsageError::Fields("--secret", error))? {
        match (&field.key[..], field.value) {
            ("id", Some(value)) => id = Some(value),
            ("src" | "source", Some(value)) => source = Some(value),
            ("env", Some(value)) => variable = Some(value),
            ("type", Some(value)) if value == "file" || value == "env" => kind = Some(value),
            _ => {
                return Err(UsageError::value(
                    "--secret",
                    text,
                    "id=NAME[,src=FILE|,env=VARIABLE]",
                ));
            }
        }
    }
    let source_id = source
        .as_ref()
        .and_then(|path: &String| path.rsplit('/').next().map(str::to_owned));
    let id = id
        .or(source_id)
        .ok_or_else(|| UsageError::value("--secret", text, "id=NAME[,src=FILE|,env=VARIABLE]"))?;
    let from_environment = kind.as_deref() == Some("env") || (kind.is_none() && source.is_none());
    if let Some(name) =
        variable.or_else(|| from_environment.then(|| source.clone().unwrap_or_else(|| id.clone())))
    {
        match env::var_os(&name) {
            Some(value) => {
                return Ok((
                    id,
                    Secret::Value(std::os::unix::ffi::OsStringExt::into_vec(value)),
                ));
            }
            None if source.is_none() && !PathBuf::from(&id).exists() => {
                return Err(UsageError::NoVariable {
                    flag: "--secret",
                    name,
                });
            }
            None => {}
        }
    }
    let path = source.unwrap_or_else(|| id.clone());
    Ok((id, Secret::File(path.into())))
}

/// `--ssh default|ID[=SOCKET|KEY[,KEY…]]`.
pub(crate) fn ssh(text: &str) -> Result<(String, SshAgent), UsageError> {
    let (id, paths) = assignment(text);
    let id = if id.is_empty() { "default".to_owned() } else { id };
    let Some(paths) = paths.filter(|paths| !paths.is_empty()) else {
        let name = "SSH_AUTH_SOCK".to_owned();
        let socket = env::var_os(&name).ok_or(UsageError::NoVariable { flag: "--ssh", name })?;
        return Ok((id, SshAgent::Socket(socket.into())));
    };
    let paths: Vec<PathBuf> = paths.split(',').map(PathBuf::from).collect();
    let is_socket = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|info| std::os::unix::fs::FileTypeExt::is_socket(&info.file_type()))
    };
    match &paths[..] {
        [socket] if is_socket(socket) => Ok((id, SshAgent::Socket(socket.clone()))),
        _ => Ok((id, SshAgent::Keys(paths))),
    }
}

/// `--build-context NAME=VALUE`.
pub(crate) fn named_context(
    text: &str,
    is_base: impl Fn(&str) -> bool,
) -> Result<(String, NamedContext), UsageError> {
    let bad = |wanted: &str| UsageError::value("--build-context", text, wanted);
    let (name, value) = text.split_once('=').ok_or_else(|| bad("NAME=PATH"))?;
    let context = if let Some(reference) = value.strip_prefix("docker-image://") {
        NamedContext::Image(
            reference
                .parse()
                .map_err(|_| bad("an image reference after docker-image://"))?,
        )
    } else if let Some(layout) = value.strip_prefix("oci-layout://") {
        oci_layout(layout).ok_or_else(|| bad("oci-layout://PATH[:TAG][@DIGEST]"))?
    } else if let Some(url) = git("--build-context", value)? {
        NamedContext::Git(url.source())
    } else if value.starts_with("http://") || value.starts_with("https://") {
        NamedContext::Url(value.to_owned())
    } else if !PathBuf::from(value).is_dir() && is_base(value) {
        NamedContext::Base(value.to_owned())
    } else {
        NamedContext::Directory(value.into())
    };
    Ok((name.to_lowercase(), context))
}

fn oci_layout(text: &str) -> Option<NamedContext> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse().ok()?)),
        None => (text, None),
    };
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag.to_owned())),
        _ => (rest, None),
    };
    Some(NamedContext::OciLayout {
        path: path.into(),
        tag,
        digest,
    })
}

/// The git repository that `text` names, if it is one.
pub(crate) fn git(flag: &'static str, text: &str) -> Result<Option<GitUrl>, UsageError> {
    GitUrl::parse_context(text)
        .map_err(|error| UsageError::value(flag, text, &format!("the URL of a repository ({error})")))
}

/// A platform: `local` is the machine's own.
pub(crate) fn platform(text: &str) -> Result<Platform, UsageError> {
    if text == "local" {
        return Ok(Platform::host());
    }
    text.parse().map_err(|_| {
        let wanted = "os/architecture[/variant], such as linux/amd64 or linux/arm/v7";
        UsageError::value("--platform", text, wanted)
    })
}

/// `--platform`, each once.
pub(crate) fn platforms(texts: &[String]) -> Result<Vec<Platform>, UsageError> {
    let mut platforms = Vec::new();
    for text in texts {
        let platform = platform(text.trim())?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

/// `--annotation [manifest|index|manifest-descriptor|index-descriptor[,…]:]KEY=VALUE`.
pub(crate) fn annotations(text: &str) -> Result<Vec<Annotation>, UsageError> {
    let bad = || UsageError::value("--annotation", text, "[manifest|index|…:]KEY=VALUE");
    let (key, value) = text.split_once('=').ok_or_else(bad)?;
    let (levels, key) = match key.split_once(':') {
        Some((levels, key)) => (
            levels
                .split(',')
                .map(level)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(bad)?,
            key,
        ),
        None => (vec![(AnnotationLevel::Manifest, None)], key),
    };
    Ok(levels
        .into_iter()
        .map(|(level, platform)| Annotation {
            level,
            key: key.to_owned(),
            value: value.to_owned(),
            platform,
        })
        .collect())
}

/// A level, and behind it in brackets the platform of which alone the documents are meant.
fn level(text: &str) -> Option<(AnnotationLevel, Option<Platform>)> {
    let (name, platform) = match text.split_once('[') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(']')?.parse().ok()?)),
        None => (text, None),
    };
    let level = match name {
        "manifest" => AnnotationLevel::Manifest,
        "manifest-descriptor" => AnnotationLevel::ManifestDescriptor,
        "index" if platform.is_none() => AnnotationLevel::Index,
        "index-descriptor" if platform.is_none() => AnnotationLevel::IndexDescriptor,
        _ => return None,
    };
    Some((level, platform))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("64m", 64 << 20),
            ("1024", 1024),
            ("1.5g", 3 << 29),
            ("2GiB", 2 << 30),
            ("10kb", 10240),
        ] {
            assert_eq!(byte_size("--shm-size", text).unwrap(), bytes, "{text}");
        }
        for text in ["", "m", "-1", "1x", "1.2.3"] {
            assert!(byte_size("--shm-size", text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts() {
        assert_eq!(
            host("a:10.0.0.1").unwrap(),
            ("a".into(), "10.0.0.1".parse().unwrap())
        );
        assert_eq!(host("a:::1").unwrap().1, "::1".parse::<IpAddr>().unwrap());
        assert_eq!(host("a=[::1]").unwrap().1, "::1".parse::<IpAddr>().unwrap());
        assert!(host("a").is_err() && host(":1.2.3.4").is_err());
    }

    #[test]
    fn platforms_are_in_normal_form_and_no_two_are_equal() {
        let parse = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(ToString::to_string).collect();
            platforms(&texts).map(|platforms| platforms.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(
            parse(&["linux/arm64/v8", "arm64", " linux/arm", "linux/armhf"]).unwrap(),
            ["linux/arm64", "linux/arm/v7"]
        );
        assert_eq!(parse(&["local"]).unwrap(), [Platform::host().to_string()]);
        assert!(parse(&["nonsense//"]).is_err() && parse(&["linux/arm64/v8/x"]).is_err());
    }

    #[test]
    fn annotations_name_documents_and_platforms() {
        let parsed = annotations("manifest[linux/arm64],index:a=b").unwrap();
        assert_eq!(parsed[0].level, AnnotationLevel::Manifest);
        assert_eq!(parsed[0].platform.as_ref().unwrap().to_string(), "linux/arm64");
        assert_eq!(
            (parsed[1].level, &parsed[1].platform),
            (AnnotationLevel::Index, &None)
        );
        for text in [
            "index[linux/arm64]:a=b",
            "manifest[linux/arm64:a=b",
            "manifest[x//]:a=b",
        ] {
            assert!(annotations(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits() {
        assert_eq!(ulimit("nofile=10:20").unwrap(), ("nofile".into(), (10, 20)));
        assert_eq!(ulimit("core=-1").unwrap().1, (u64::MAX, u64::MAX));
        assert!(ulimit("nofile=20:10").is_err() && ulimit("open=1").is_err());
    }

    #[test]
    fn contexts() {
        let parse = |text: &str| named_context(text, |name| name == "builder").unwrap().1;
        assert_eq!(parse("a=builder"), NamedContext::Base("builder".into()));
        assert_eq!(parse("a=../x"), NamedContext::Directory("../x".into()));
        let layout = NamedContext::OciLayout {
            path: "dir".into(),
            tag: Some("v1".into()),
            digest: None,
        };
        assert_eq!(parse("a=oci-layout://dir:v1"), layout);
        let git = |text: &str| match parse(text) {
            NamedContext::Git(git) => (git.remote, git.reference, git.subdir),
            other => panic!("{text} is {other:?}"),
        };
        let expected = |remote: &str| (remote.to_owned(), "main".to_owned(), "sub".to_owned());
        let remote = "https://example.com/r.git";
        assert_eq!(git("a=https://example.com/r.git#main:sub"), expected(remote));
        assert_eq!(
            git("a=https://example.com/r.git?ref=main&subdir=sub"),
            expected(remote)
        );
        assert_eq!(git("a=git@example.com:r#main:sub"), expected("git@example.com:r"));
        assert_eq!(
            git("a=github.com/a/r#main:sub"),
            expected("https://github.com/a/r")
        );
        assert!(named_context("a=https://example.com/r.git?x=1", |_| false).is_err());
    }

    #[test]
    fn secrets_are_redacted() {
        let (id, secret) = secret("id=x,env=PATH").unwrap();
        assert_eq!(
            (id.as_str(), format!("{secret:?}").as_str()),
            ("x", "Value(redacted)")
        );
    }
}
