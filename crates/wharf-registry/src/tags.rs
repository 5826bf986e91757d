//! The tags of a repository.
//!
//! OCI distribution specification, "Listing Tags", with its pages.

use serde::Deserialize;
use url::Url;
use wharf_http::{Request, Response, header::LINK};
use wharf_oci::Reference;

use crate::{Error, Registry, registry::Source};

/// One page is at most this large, bytes.
const PAGE_LIMIT: u64 = 8 << 20;
/// How many tags are asked for at once. Registries may give fewer.
const PAGE: usize = 1000;
/// No repository has a million tags; a registry that goes on and on is broken.
const MAX_PAGES: usize = 1000;

#[derive(Deserialize)]
struct Page {
    /// Some registries say `null` for none.
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Registry {
    /// All tags of the repository of `reference`, in the registry's order. Mirrors are not asked: they know too few.
    pub async fn tags(&self, reference: &Reference) -> Result<Vec<String>, Error> {
        let source = self.target(reference, &reference.familiar())?;
        let mut url = source.url("tags/list").await?;
        url.query_pairs_mut().append_pair("n", &PAGE.to_string());
        let mut tags = Vec::new();
        for _ in 0..MAX_PAGES {
            let (page, next) = source.tag_page(url).await?;
            tags.extend(page.tags.unwrap_or_default());
            match next {
                Some(next) => url = next,
                None => return Ok(tags),
            }
        }
        Err(Error::Protocol {
            name: source.name,
            what: "a list of tags without end",
        })
    }
}

impl Source {
    async fn tag_page(&self, url: Url) -> Result<(Page, Option<Url>), Error> {
        let response = self.send(&Request::get(url), self.pull()).await?;
        let next = next_page(&response);
        let body = response
            .bytes(PAGE_LIMIT)
            .await
            .map_err(|error| Error::of_http(&self.name, error))?;
        let page = serde_json::from_slice(&body).map_err(|_| Error::Protocol {
            name: self.name.clone(),
            what: "no list of tags",
        })?;
        Ok((page, next))
    }
}

/// The next page, if it is at the same registry.
fn next_page(response: &Response) -> Option<Url> {
    let next = response.url().join(next_link(response.header(&LINK)?)?).ok()?;
    (next.origin() == response.url().origin()).then_some(next)
}

/// The target of `rel="next"` in a `Link` header (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    header.split(",<").find_map(|link| {
        let (target, parameters) = link.trim().trim_start_matches('<').split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let parameter = parameter.trim().trim_end_matches(',');
            matches!(parameter.split_once('='), Some((name, value))
                if name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"') == "next")
        });
        is_next.then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        for (header, expected) in [
            (
                r#"</v2/a/tags/list?last=x&n=2>; rel="next""#,
                Some("/v2/a/tags/list?last=x&n=2"),
            ),
            ("<https://r.test/x,y>; rel=next", Some("https://r.test/x,y")),
            (r#"<a>; rel="prev",<b>; rel="next""#, Some("b")),
            (r#"<a>; rel="prev""#, None),
            ("nonsense", None),
        ] {
            assert_eq!(next_link(header), expected, "{header}");
        }
    }
}
