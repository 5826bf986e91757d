//! Which subordinate ids a user has: /etc/subuid and /etc/subgid (subuid(5)).

use std::{fs, path::Path};

use super::{IdMap, IdRange, map::extend};

/// The map of `uid` and `gid` with the subordinate ranges of the files in `etc`; none when a file names no range for it.
pub(crate) fn subordinate(etc: &Path, uid: u32, gid: u32) -> Option<IdMap> {
    let read = |name: &str| fs::read_to_string(etc.join(name)).unwrap_or_default();
    let user = user_name(&read("passwd"), uid);
    let uids = ranges(&read("subuid"), user.as_deref(), uid);
    let gids = ranges(&read("subgid"), user.as_deref(), uid);
    if uids.is_empty() || gids.is_empty() {
        return None;
    }
    let own = |outside| IdRange {
        inside: 0,
        outside,
        count: 1,
    };
    Some(IdMap {
        uids: extend(own(uid), &uids),
        gids: extend(own(gid), &gids),
    })
}

/// The name of a user id in a passwd(5) file. Directory services are not asked: the binary is static.
fn user_name(passwd: &str, uid: u32) -> Option<String> {
    let fields = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    };
    passwd.lines().find_map(fields)
}

/// The (first, count) of each range of that user, who may stand there by name or by number.
fn ranges(file: &str, user: Option<&str>, uid: u32) -> Vec<(u32, u32)> {
    let number = uid.to_string();
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let who = fields.next()?;
        let ours = Some(who) == user || who == number;
        let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (ours && range.1 > 0).then_some(range)
    };
    file.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_number() {
        let file = "# comment\nann:100000:65536\nbob:1:2\n1000:300000:10\nann:bad:1\nann:5:0\n";
        assert_eq!(
            ranges(file, Some("ann"), 1000),
            [(100_000, 65_536), (300_000, 10)]
        );
        assert_eq!(ranges(file, None, 7), []);
    }

    #[test]
    fn names_come_from_the_third_field() {
        let passwd = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000).as_deref(), Some("ann"));
        assert_eq!(user_name(passwd, 1), None);
    }
}
