//! Joins files in memory, by the rooms of the house that do no I/O.

use std::ops::Range;

use bytes::Bytes;
use serde_json::Value;
use serverrs::media::fmp4::{Clip, Cut, HeadReader, Joined, Progress, Tags, TrackHead};
use serverrs::media::{Layout, Pass, Side, Stretch};

use crate::harness::text;

fn slice(file: &[u8], range: Range<u64>) -> &[u8] {
    let index = |at: u64| usize::try_from(at).expect("an index");
    &file[index(range.start)..index(range.end)]
}

pub(super) fn head(file: &[u8]) -> TrackHead {
    let mut reader = HeadReader::new(file.len() as u64);
    let mut need = reader.first(None);
    loop {
        match reader.feed(need.start, slice(file, need.clone())) {
            Ok(Progress::Need(range)) => need = range,
            Ok(Progress::Done(head)) => return head,
            Err(fault) => panic!("{fault}"),
        }
    }
}

/// What a joined file says of a post, by the answer about the post.
pub(super) fn tags(body: &Value) -> Vec<u8> {
    let texts = ["/title", "/author/nickname", "/description", "/url"].map(|at| text(body, at));
    let [title, artist, description, source] = &texts;
    let date = body["create_time"].as_i64().map(|second| {
        let moment = time::OffsetDateTime::from_unix_timestamp(second).expect("a date");
        moment.date().to_string()
    });
    let tags = Tags {
        title,
        artist,
        date: date.as_deref().unwrap_or_default(),
        description,
        source,
        cover: None,
    };
    tags.write().expect("tags")
}

/// The joined file, or a part of it.
pub(super) fn assemble(files: &[Bytes; 2], tags: &[u8], clip: Option<Clip>) -> Vec<u8> {
    let heads = [head(&files[0]), head(&files[1])];
    let cut = clip.map(|clip| {
        let mut cut = Cut::find([&heads[0], &heads[1]], clip).expect("a clip");
        for side in Side::BOTH {
            let (file, head) = (&files[side.index()], &heads[side.index()]);
            let mut opening = slice(file, cut.opening(side, head)).to_vec();
            cut.open(side, head, &mut opening).expect("a run");
        }
        cut
    });
    let layout = Joined::new(&heads[0], &heads[1], cut.as_ref(), tags).expect("a pair");
    let mut whole = Vec::new();
    while let Some(stretch) = layout.stretch(whole.len() as u64) {
        match stretch {
            Stretch::Made { bytes, .. } => whole.extend_from_slice(&bytes),
            Stretch::Run(run) => {
                let source = slice(
                    &files[run.side.index()],
                    run.source..run.source + run.length,
                );
                let mut pass = Pass::new(layout.patch(&run));
                let mut out: Vec<Bytes> = Vec::new();
                let pushed = pass.push(Bytes::copy_from_slice(source), &mut out);
                pushed
                    .and_then(|()| pass.finish())
                    .expect("the run of the index");
                whole.extend(out.concat());
            }
        }
    }
    assert_eq!(whole.len() as u64, layout.total());
    whole
}
