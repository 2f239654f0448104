//! A track for whose segments others leave no room, and a site that counts what it is asked for.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use super::*;
use crate::config::Env;
use crate::extract::youtube::YouTube;
use crate::extract::{Extractor, LivePost};
use crate::lifecycle::Lifecycle;
use crate::net::{EgressConfig, Egresses, MediaSession};
use crate::services::{LiveStream, Resolver, Room, ServicesConfig, Sources, Taste};

/// Bytes of a segment: three places of a room.
const SEGMENT: usize = 48 << 10;
const BASE: &str = "http://manifest.googlevideo.com/";
const PLAYLIST: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsegment\n#EXT-X-ENDLIST\n";

/// Answers one request for the playlist, or for a segment, and tells when it was for the one that is listed.
async fn answer(stream: TcpStream, asked: Sender<Instant>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") && stream.read_line(&mut request).await? > 0 {}
    let path = request.split_whitespace().nth(1).unwrap_or_default();
    let body = match path.strip_prefix(BASE) {
        Some("playlist") => PLAYLIST.as_bytes().to_vec(),
        name => {
            if name == Some("segment") {
                asked.send(Instant::now()).await.unwrap();
            }
            // As MPEG-TS has it at the beginning of each packet.
            vec![0x47; SEGMENT]
        }
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

/// What is on air at the site, which is played as long as the tasks are kept; and when its segment is asked for.
async fn on_air() -> (LiveStream, Receiver<Instant>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let (asked, times) = channel(16);
    let mut site = JoinSet::new();
    site.spawn(async move {
        let mut answers = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            // A reader that goes away in the midst is none of its business.
            answers.spawn(answer(stream, asked.clone()));
        }
    });
    let mut env = Env::from_pairs([("PROXY", proxy)]);
    let extractor: Arc<dyn Extractor> = Arc::new(YouTube::from_env(&mut env));
    let sources = Sources {
        extractors: vec![Arc::clone(&extractor)],
        egresses: Egresses::new(EgressConfig::from_env(&mut env)).unwrap(),
        shared: None,
    };
    let config = ServicesConfig::from_env(&mut env);
    let resolver = Resolver::new(&config, sources, &Lifecycle::new());
    let source = extractor.source("aaaaaaaaaaa").unwrap();
    let post = LivePost {
        title: String::new(),
        playlist: format!("{BASE}playlist"),
        session: MediaSession::default(),
    };
    let stream = LiveStream::new(resolver, (extractor, source), None, post);
    (stream, times, site)
}

#[tokio::test]
async fn segment_without_room_is_asked_for_ever_more_rarely_and_is_not_taken_for_slow() {
    let (stream, mut times, _site) = on_air().await;
    // For one segment, the playlist, and a part of another segment.
    let room = Room::new(SEGMENT + SEGMENT / 3 * 2);
    let other = Url::parse(BASE).unwrap().join("other").unwrap();
    let others = stream.read(&other, None, (SEGMENT, &room)).await.unwrap();
    let channel = Arc::new(Channel::new(stream, Taste::Usual, room.clone()));
    let mut track = Track::new(channel, Side::Picture);
    let mut asked = Vec::new();
    while asked.len() < 4 {
        // Whoever waits comes back before the longest pause is over, as the bodies of a broadcast do.
        let got = timeout(Duration::from_millis(1500), track.next()).await;
        assert!(got.is_err(), "there was no room");
        asked.extend(std::iter::from_fn(|| times.try_recv().ok()));
    }
    assert!(room.was_full(Duration::from_secs(60)));
    for (pair, pause) in asked.windows(2).zip([500, 1000, 2000]) {
        let pause = Duration::from_millis(pause);
        assert!(pair[1] - pair[0] >= pause, "{pause:?}: {asked:?}");
    }
    // Any time without media would make less than real time of this.
    let nearly = Duration::from_secs(20) - Duration::from_nanos(1);
    assert!(!track.pace.is_slow(nearly, nearly));

    drop(others);
    let got = track.next().await.unwrap().unwrap();
    assert_eq!((got.number, got.bytes.len()), (0, SEGMENT));
    assert!(track.next().await.unwrap().is_none());
}
