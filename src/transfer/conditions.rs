//! Preconditions of a request (RFC 9110 §13) and their order: pure. `If-Range` is none of them: it is about the range.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::time::SystemTime;

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};

use super::etag::{EntityTag, EntityTags};
use super::identity::{Validators, text};

/// The conditions of a GET or HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// `If-Match`.
    matching: Option<EntityTags>,
    /// `If-None-Match`.
    none_matching: Option<EntityTags>,
    /// `If-Modified-Since`.
    modified_since: Option<SystemTime>,
    /// `If-Unmodified-Since`.
    unmodified_since: Option<SystemTime>,
}

/// What the conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The request is answered as if it had none.
    Perform,
    /// 304: the client has it already.
    NotModified,
    /// 412: it is not what the client thinks.
    Failed,
}

impl Preconditions {
    /// Reads them. A date that is none, or that stands there twice, is ignored, as §13.1.3 and §13.1.4 want it.
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            matching: tags(headers, &IF_MATCH),
            none_matching: tags(headers, &IF_NONE_MATCH),
            modified_since: date(text(headers, &IF_MODIFIED_SINCE).as_deref()),
            unmodified_since: date(text(headers, &IF_UNMODIFIED_SINCE).as_deref()),
        }
    }

    /// Whether there are any.
    pub(super) fn are_there(&self) -> bool {
        *self != Self::default()
    }

    /// Holds them against the representation there is, in the order of §13.2.2: tags before dates, 412 before 304.
    pub(super) fn judge(&self, known: &Validators) -> Verdict {
        let tag = known.etag.as_deref();
        let tag = tag.and_then(|etag| EntityTag::parse(etag.as_bytes()));
        let modified = date(known.last_modified.as_deref());
        let is_matched = match &self.matching {
            Some(tags) => tags.name(tag.as_ref(), EntityTag::is_strongly),
            None => !is_after(modified, self.unmodified_since).unwrap_or(false),
        };
        if !is_matched {
            return Verdict::Failed;
        }
        let is_known = match &self.none_matching {
            Some(tags) => tags.name(tag.as_ref(), EntityTag::is_weakly),
            None => is_after(modified, self.modified_since).is_some_and(|is_after| !is_after),
        };
        if is_known {
            return Verdict::NotModified;
        }
        Verdict::Perform
    }
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<EntityTags> {
    let lines = headers.get_all(name).iter();
    EntityTags::parse(lines.map(http::HeaderValue::as_bytes))
}

fn date(text: Option<&str>) -> Option<SystemTime> {
    httpdate::parse_http_date(text?).ok()
}

/// Whether the representation changed after `date`; `None` unless both are known.
fn is_after(modified: Option<SystemTime>, date: Option<SystemTime>) -> Option<bool> {
    Some(modified? > date?)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    /// Three days in order.
    const DAYS: [&str; 3] = [
        "Mon, 02 Nov 2026 10:00:00 GMT",
        "Tue, 03 Nov 2026 10:00:00 GMT",
        "Wed, 04 Nov 2026 10:00:00 GMT",
    ];

    fn judge(headers: &[(HeaderName, &str)], etag: Option<&str>, day: Option<usize>) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let known = Validators {
            etag: etag.map(str::to_owned),
            last_modified: day.map(|day| DAYS[day].to_owned()),
        };
        Preconditions::of(&map).judge(&known)
    }

    #[test]
    fn condition_twice_is_a_list_of_tags_and_no_date() {
        let lines = [(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, "\"a\"")];
        assert_eq!(judge(&lines, Some("\"a\""), None), Verdict::NotModified);
        let lines = [(IF_MATCH, "\"x\""), (IF_MATCH, "\"a\"")];
        assert_eq!(judge(&lines, Some("\"a\""), None), Verdict::Perform);
        let lines = [(IF_MODIFIED_SINCE, DAYS[2]), (IF_MODIFIED_SINCE, DAYS[2])];
        assert_eq!(judge(&lines, None, Some(0)), Verdict::Perform);
        let lines = [
            (IF_UNMODIFIED_SINCE, DAYS[0]),
            (IF_UNMODIFIED_SINCE, DAYS[0]),
        ];
        assert_eq!(judge(&lines, None, Some(1)), Verdict::Perform);
    }

    #[test]
    fn condition_that_is_no_date_is_ignored() {
        for odd in ["yesterday", "", "2026-11-02", "é"] {
            assert_eq!(
                judge(&[(IF_MODIFIED_SINCE, odd)], None, Some(0)),
                Verdict::Perform
            );
            assert_eq!(
                judge(&[(IF_UNMODIFIED_SINCE, odd)], None, Some(0)),
                Verdict::Perform
            );
        }
    }

    #[test]
    fn condition_on_any_representation_is_met_by_one_without_a_name() {
        assert_eq!(
            judge(&[(IF_NONE_MATCH, "*")], None, None),
            Verdict::NotModified
        );
        assert_eq!(judge(&[(IF_MATCH, "*")], None, None), Verdict::Perform);
        assert_eq!(judge(&[(IF_MATCH, "\"a\"")], None, None), Verdict::Failed);
        assert_eq!(
            judge(&[(IF_MATCH, "nonsense")], Some("nonsense"), None),
            Verdict::Failed
        );
    }

    /// A tag as its mark and its letter.
    type Tag = (bool, char);

    /// A list of tags: `None` for `*`.
    type List = Option<Vec<Tag>>;

    fn write((is_weak, letter): Tag) -> String {
        format!("{}\"{letter}\"", if is_weak { "W/" } else { "" })
    }

    fn write_list(list: &List) -> String {
        match list {
            None => "*".to_owned(),
            Some(tags) => {
                let tags: Vec<String> = tags.iter().copied().map(write).collect();
                tags.join(" , ")
            }
        }
    }

    /// The steps of RFC 9110 §13.2.2 one by one, over what the headers were written from.
    fn naive(
        [if_match, if_none_match]: [Option<&List>; 2],
        [modified_since, unmodified_since]: [Option<usize>; 2],
        tag: Option<Tag>,
        day: Option<usize>,
    ) -> Verdict {
        let mut may_go_on = true;
        if let Some(list) = if_match {
            may_go_on = match list {
                None => true,
                Some(tags) => tags.iter().any(|asked| !asked.0 && tag == Some(*asked)),
            };
        } else if let (Some(date), Some(day)) = (unmodified_since, day) {
            may_go_on = day <= date;
        }
        if !may_go_on {
            return Verdict::Failed;
        }
        if let Some(list) = if_none_match {
            may_go_on = match list {
                None => false,
                Some(tags) => !tags
                    .iter()
                    .any(|asked| tag.is_some_and(|tag| tag.1 == asked.1)),
            };
        } else if let (Some(date), Some(day)) = (modified_since, day) {
            may_go_on = day > date;
        }
        if may_go_on {
            Verdict::Perform
        } else {
            Verdict::NotModified
        }
    }

    fn any_tag() -> impl Strategy<Value = Tag> {
        (any::<bool>(), prop_oneof![Just('a'), Just('b')])
    }

    fn any_list() -> impl Strategy<Value = Option<List>> {
        let list = proptest::option::weighted(0.8, proptest::collection::vec(any_tag(), 0..4));
        proptest::option::of(list)
    }

    fn any_day() -> impl Strategy<Value = Option<usize>> {
        proptest::option::of(0..DAYS.len())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn conditions_agree_with_the_naive_reference(
            if_match in any_list(),
            if_none_match in any_list(),
            modified_since in any_day(),
            unmodified_since in any_day(),
            tag in proptest::option::of(any_tag()),
            day in any_day(),
        ) {
            let lists = [if_match.as_ref().map(write_list), if_none_match.as_ref().map(write_list)];
            let mut headers = Vec::new();
            for (name, list) in [IF_MATCH, IF_NONE_MATCH].into_iter().zip(&lists) {
                headers.extend(list.as_deref().map(|list| (name, list)));
            }
            headers.extend(modified_since.map(|day| (IF_MODIFIED_SINCE, DAYS[day])));
            headers.extend(unmodified_since.map(|day| (IF_UNMODIFIED_SINCE, DAYS[day])));
            let expected = naive(
                [if_match.as_ref(), if_none_match.as_ref()],
                [modified_since, unmodified_since],
                tag,
                day,
            );
            prop_assert_eq!(judge(&headers, tag.map(write).as_deref(), day), expected);
        }
    }
}
