//! Users and groups by name: what `USER`, `--chown` and a base image's configuration stand for in a given root.
//!
//! As runc and BuildKit read them: `/etc/passwd` and `/etc/group` of the root, links followed inside of it; numbers need no
//! entry. passwd(5), group(5).

use std::io::Read as _;

use wharf_graph::key::ResolvedUser;
use wharf_store::{BlobError, Store};
use wharf_tree::{BlobRead, FollowLast, Node, Tree};

/// The most that is read of `/etc/passwd` or `/etc/group`.
const FILE_LIMIT: u64 = 16 << 20;

/// A user or group that the root does not know.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No such line in `/etc/passwd`.
    #[error("no user `{0}` in the image's /etc/passwd")]
    NoUser(String),
    /// No such line in `/etc/group`.
    #[error("no group `{0}` in the image's /etc/group")]
    NoGroup(String),
    /// The file's content cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The file cannot be read.
    #[error("cannot read the image's {file}")]
    Read {
        /// Which.
        file: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// What `user[:group]` of USER means in `tree`; empty is root. Without a group, the primary group and the supplementary ones of
/// the user count; with one, that group alone.
pub fn resolve_user(spec: &str, tree: &Tree, store: &Store) -> Result<ResolvedUser, IdentityError> {
    let (user, group) = spec.split_once(':').unwrap_or((spec, ""));
    let user = if user.is_empty() { "0" } else { user };
    let passwd = read(tree, store, "/etc/passwd")?;
    let account = find_account(&passwd, user);
    let uid = match (&account, user.parse()) {
        (Some(account), _) => account.uid,
        (None, Ok(uid)) => uid,
        (None, Err(_)) => return Err(IdentityError::NoUser(user.to_owned())),
    };
    let groups = read(tree, store, "/etc/group")?;
    let home = account
        .as_ref()
        .map_or_else(|| "/".to_owned(), |account| account.home.clone());
    if !group.is_empty() {
        return Ok(ResolvedUser {
            uid,
            gid: find_group(&groups, group)?,
            groups: Vec::new(),
            home,
        });
    }
    let gid = account.as_ref().map_or(0, |account| account.gid);
    let supplementary = account.map_or_else(Vec::new, |account| memberships(&groups, &account.name));
    Ok(ResolvedUser {
        uid,
        gid,
        groups: supplementary,
        home,
    })
}

/// What `user[:group]` of `--chown` means: as USER, but a number alone is its own group too, and so is a user without a
/// group.
pub fn resolve_owner(spec: &str, tree: &Tree, store: &Store) -> Result<(u32, u32), IdentityError> {
    let (user, group) = spec
        .split_once(':')
        .map_or((spec, None), |(user, group)| (user, Some(group)));
    let passwd = read(tree, store, "/etc/passwd")?;
    let (uid, primary) = match user.parse() {
        Ok(uid) => (uid, uid),
        Err(_) if user.is_empty() => (0, 0),
        Err(_) => {
            let account =
                find_account(&passwd, user).ok_or_else(|| IdentityError::NoUser(user.to_owned()))?;
            (account.uid, account.gid)
        }
    };
    match group.filter(|group| !group.is_empty()) {
        None => Ok((uid, primary)),
        Some(group) => Ok((uid, find_group(&read(tree, store, "/etc/group")?, group)?)),
    }
}

/// Who owns what WORKDIR makes for `user[:group]` of USER: as [`resolve_owner`], but a name that the root does not know is root's.
/// WORKDIR asks for no owner; the step that runs as that user tells the mistake, if it is one.
pub(super) fn resolve_maker(spec: &str, tree: &Tree, store: &Store) -> Result<(u32, u32), IdentityError> {
    let or_root = |owner| match owner {
        Err(IdentityError::NoUser(_) | IdentityError::NoGroup(_)) => Ok(None),
        owner => owner.map(Some),
    };
    let (user, group) = spec.split_once(':').unwrap_or((spec, ""));
    let (uid, primary) = or_root(resolve_owner(user, tree, store))?.unwrap_or((0, 0));
    if group.is_empty() {
        return Ok((uid, primary));
    }
    let named = or_root(resolve_owner(&format!(":{group}"), tree, store))?;
    Ok((uid, named.map_or(primary, |(_, gid)| gid)))
}

struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

fn find_account(passwd: &str, user: &str) -> Option<Account> {
    let accounts = || passwd.lines().filter_map(account);
    accounts().find(|account| account.name == user).or_else(|| {
        let uid = user.parse::<u32>().ok()?;
        accounts().find(|account| account.uid == uid)
    })
}

fn account(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let (name, _) = (fields.next()?, fields.next()?);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let home = fields.nth(1).unwrap_or("/");
    Some(Account {
        name: name.to_owned(),
        uid,
        gid,
        home: if home.is_empty() { "/" } else { home }.to_owned(),
    })
}

fn find_group(groups: &str, group: &str) -> Result<u32, IdentityError> {
    let named = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == group)
            .then(|| fields.nth(1)?.parse().ok())
            .flatten()
    });
    named
        .or_else(|| group.parse().ok())
        .ok_or_else(|| IdentityError::NoGroup(group.to_owned()))
}

fn memberships(groups: &str, user: &str) -> Vec<u32> {
    let mut gids: Vec<u32> = groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let gid = fields.nth(2)?.parse().ok()?;
            fields
                .next()?
                .split(',')
                .any(|member| member == user)
                .then_some(gid)
        })
        .collect();
    gids.sort_unstable();
    gids.dedup();
    gids
}

/// The file's text; empty when there is none.
fn read(tree: &Tree, store: &Store, file: &'static str) -> Result<String, IdentityError> {
    let Ok(found) = tree.lookup(file, FollowLast::Yes) else {
        return Ok(String::new());
    };
    let Node::File { digest, .. } = &found.entry.node else {
        return Ok(String::new());
    };
    let mut text = Vec::new();
    let failed = |error: std::io::Error| match error.downcast::<BlobError>() {
        Ok(error) => IdentityError::Blob(error),
        Err(source) => IdentityError::Read { file, source },
    };
    let content = BlobRead::open(store, digest).map_err(failed)?;
    content.take(FILE_LIMIT).read_to_end(&mut text).map_err(failed)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/false\n# no line\n";
    const GROUP: &str = "root:x:0:\nweb:x:34:\nadm:x:4:syslog,web\nlog:x:5:web\n";

    #[test]
    fn accounts_by_name_and_number() {
        assert_eq!(
            find_account(PASSWD, "web").map(|account| (account.uid, account.gid)),
            Some((33, 34))
        );
        assert_eq!(
            find_account(PASSWD, "33").map(|account| account.home),
            Some("/srv".into())
        );
        assert!(find_account(PASSWD, "nobody").is_none());
    }

    #[test]
    fn groups() {
        assert_eq!(memberships(GROUP, "web"), [4, 5]);
        assert_eq!(find_group(GROUP, "adm").unwrap(), 4);
        assert_eq!(find_group(GROUP, "77").unwrap(), 77);
        assert!(find_group(GROUP, "nix").is_err());
    }
}
