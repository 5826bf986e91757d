//! The known name that somebody probably meant.

/// The name nearest to `written`, if one is near: at most a third of its letters differ.
pub(crate) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (written.chars().count() / 3).max(1);
    known
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_only() {
        let known = ["variant", "packages"];
        assert_eq!(nearest("pakcages", known.into_iter()), Some("packages"));
        assert_eq!(nearest("foo", known.into_iter()), None);
    }
}
