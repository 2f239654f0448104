//! Joins files in memory, by the rooms of the house that do no I/O.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use serverrs::media::fmp4::{self, Cut};
use serverrs::media::{
    Clip, Container, Cover, HeadReader, Layout, Pass, Progress, Run, Side, Stretch, Tags,
    TrackHead, webm,
};

use crate::harness::text;
use crate::harness::upstream::Payload;

fn head(file: &Payload) -> TrackHead {
    let container = match &file.slice(0..4)[..] {
        [0x1A, 0x45, 0xDF, 0xA3] => Container::Webm,
        _ => Container::Mp4,
    };
    let mut reader = HeadReader::new(container, file.len());
    let mut need = reader.first(None);
    loop {
        match reader.feed(need.start, &file.slice(need.clone())) {
            Ok(Progress::Need(range)) => need = range,
            Ok(Progress::Done(head)) => return head,
            Err(fault) => panic!("{fault}"),
        }
    }
}

/// What a joined file says of a post.
pub(super) struct Said {
    texts: [String; 5],
    cover: Option<Bytes>,
}

impl Said {
    /// By the answer about the post.
    pub(super) fn of(body: &Value) -> Self {
        let texts = ["/title", "/author/nickname", "/description", "/url"];
        let [title, artist, description, source] = texts.map(|at| text(body, at));
        let date = body["create_time"].as_i64().map(|second| {
            let moment = time::OffsetDateTime::from_unix_timestamp(second).expect("a date");
            moment.date().to_string()
        });
        let date = date.unwrap_or_default();
        Self {
            texts: [title, artist, date, description, source],
            cover: None,
        }
    }

    /// And shows this picture, a JPEG.
    pub(super) fn with_cover(self, jpeg: Bytes) -> Self {
        Self {
            cover: Some(jpeg),
            ..self
        }
    }

    fn tags(&self) -> Tags<'_> {
        let [title, artist, date, description, source] = &self.texts;
        Tags {
            title,
            artist,
            date,
            description,
            source,
            cover: self.cover.as_deref().map(|bytes| Cover {
                is_png: false,
                bytes,
            }),
        }
    }
}

fn cut(files: &[Payload; 2], heads: [&fmp4::TrackHead; 2], clip: Clip) -> Cut {
    let mut cut = Cut::find(heads, clip).expect("a clip");
    for side in Side::BOTH {
        let (file, head) = (&files[side.index()], heads[side.index()]);
        let mut opening = file.slice(cut.opening(side, head)).to_vec();
        cut.open(side, head, &mut opening).expect("a run");
    }
    cut
}

fn lay_out(files: &[Payload; 2], said: &Said, clip: Option<Clip>) -> Arc<dyn Layout> {
    let tags = said.tags();
    match [head(&files[0]), head(&files[1])] {
        [TrackHead::Fmp4(picture), TrackHead::Fmp4(sound)] => {
            let cut = clip.map(|clip| cut(files, [&picture, &sound], clip));
            let joined = fmp4::Joined::new(&picture, &sound, cut.as_ref(), &tags);
            Arc::new(joined.expect("a pair"))
        }
        [TrackHead::Webm(picture), TrackHead::Webm(sound)] => {
            Arc::new(webm::Joined::new(&picture, &sound, clip, &tags).expect("a pair"))
        }
        heads => panic!("no pair: {heads:?}"),
    }
}

/// The joined file, or a part of it.
pub(super) fn assemble(files: &[Bytes; 2], said: &Said, clip: Option<Clip>) -> Vec<u8> {
    let assembly = Assembly::new(files.clone().map(Payload::Bytes), said, clip);
    assembly.bytes(0..assembly.total())
}

/// A joined file of any size.
pub(super) struct Assembly {
    files: [Payload; 2],
    layout: Arc<dyn Layout>,
}

impl Assembly {
    /// The joined file, or a part of it.
    pub(super) fn new(files: [Payload; 2], said: &Said, clip: Option<Clip>) -> Self {
        Self {
            layout: lay_out(&files, said, clip),
            files,
        }
    }

    /// Number of bytes.
    pub(super) fn total(&self) -> u64 {
        self.layout.total()
    }

    /// Some of the bytes; runs of which any is wanted are made whole.
    pub(super) fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let (start, stretch) = match self.layout.stretch(at).expect("a place in the file") {
                Stretch::Made { start, bytes } => (start, bytes),
                Stretch::Run(run) => (run.output, self.run(&run)),
            };
            let end = range.end.min(start + stretch.len() as u64);
            let index = |at: u64| usize::try_from(at - start).expect("an index");
            bytes.extend_from_slice(&stretch[index(at)..index(end)]);
            at = end;
        }
        bytes
    }

    fn run(&self, run: &Run) -> Bytes {
        let source = self.files[run.side.index()].slice(run.source..run.source + run.length);
        let mut pass = Pass::new(self.layout.patch(run));
        let mut out: Vec<Bytes> = Vec::new();
        let pushed = pass.push(source, &mut out);
        pushed
            .and_then(|()| pass.finish())
            .expect("the run of the index");
        out.concat().into()
    }
}
