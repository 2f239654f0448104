//! Tests of the harness itself: each fault as it looks on the wire.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::upstream::{Fault, Gate, Media, Payload, Progress, Rule, Traffic, Upstream};

const ADDRESS: &str = "http://cdn.test/file";

/// An upstream with one file of ten bytes.
async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    let media = Media::of(Payload::Bytes("0123456789".into()), "video/mp4");
    upstream.world.media(ADDRESS, media);
    upstream.world.hand_out(ADDRESS);
    upstream
}

/// Sends one request and reads until the connection ends; `Err` when it was reset.
async fn raw(upstream: &Upstream, headers: &str) -> Result<String, std::io::Error> {
    let address = upstream.proxy_url().replace("http://", "");
    let mut tcp = TcpStream::connect(address).await?;
    let request = format!("GET {ADDRESS} HTTP/1.1\r\nHost: cdn.test\r\n{headers}\r\n");
    tcp.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The head and the body of the answer under a fault, with the connection closed by the upstream.
async fn under(fault: Fault, headers: &str) -> (String, String) {
    let upstream = upstream().await;
    upstream.world.fault(Rule::address(ADDRESS, fault));
    let headers = format!("{headers}Connection: close\r\n");
    let answer = raw(&upstream, &headers).await.expect("a clean end");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn framing_faults_are_byte_exact() {
    for (fault, header, body) in [
        (Fault::Short { at: 4 }, "Content-Length: 10", "0123"),
        (Fault::ClaimedLength(12), "Content-Length: 12", "0123456789"),
        (Fault::ClaimedLength(3), "Content-Length: 3", "0123456789"),
        (Fault::NegativeLength, "Content-Length: -5", "0123456789"),
        (
            Fault::TwoLengths,
            "Content-Length: 10\r\nContent-Length: 5",
            "0123456789",
        ),
        (
            Fault::LengthAndChunked,
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "a\r\n0123456789\r\n0\r\n\r\n",
        ),
        (
            Fault::Chunked,
            "Transfer-Encoding: chunked",
            "a\r\n0123456789\r\n0\r\n\r\n",
        ),
        (
            Fault::ChunkedUnfinished { at: 4 },
            "Transfer-Encoding: chunked",
            "4\r\n0123\r\n",
        ),
        (
            Fault::ChunkedHalf { at: 4 },
            "Transfer-Encoding: chunked",
            "4\r\n0123\r\n1000\r\n456789",
        ),
        (
            Fault::ChunkedBadSize { at: 4 },
            "Transfer-Encoding: chunked",
            "4\r\n0123\r\nzzzz\r\n",
        ),
        (Fault::CloseDelimited, "Connection: close", "0123456789"),
        (
            Fault::CloseDelimitedShort { at: 4 },
            "Connection: close",
            "0123",
        ),
        (
            Fault::OtherCoding {
                coding: "chunked, identity",
                at: 4,
            },
            "Content-Length: 10\r\nTransfer-Encoding: chunked, identity",
            "0123",
        ),
        (Fault::Rate(100), "Content-Length: 10", "0123456789"),
    ] {
        let (head, sent) = under(fault.clone(), "").await;
        assert!(head.contains(header), "{fault:?}: {head}");
        assert_eq!(sent, body, "{fault:?}");
        let is_without_length = matches!(
            fault,
            Fault::Chunked
                | Fault::ChunkedUnfinished { .. }
                | Fault::ChunkedHalf { .. }
                | Fault::ChunkedBadSize { .. }
                | Fault::CloseDelimited
                | Fault::CloseDelimitedShort { .. }
        );
        assert_eq!(
            head.contains("Content-Length"),
            !is_without_length,
            "{fault:?}: {head}"
        );
    }
}

#[tokio::test]
async fn range_faults_change_only_what_they_name() {
    let range = "Range: bytes=2-5\r\n";
    for (fault, status, header, body) in [
        (Fault::IgnoreRange, 200, "Content-Length: 10", "0123456789"),
        (
            Fault::ShiftedRange(1),
            206,
            "Content-Range: bytes 3-5/10",
            "345",
        ),
        (
            Fault::WrongTotal(99),
            206,
            "Content-Range: bytes 2-5/99",
            "2345",
        ),
        (
            Fault::Unsatisfiable,
            416,
            "Content-Range: bytes */10",
            "range not satisfiable",
        ),
        (Fault::NoContentRange, 206, "Content-Length: 4", "2345"),
    ] {
        let (head, sent) = under(fault.clone(), range).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{fault:?}: {head}"
        );
        assert!(head.contains(header), "{fault:?}: {head}");
        assert!(sent.contains(body), "{fault:?}: {sent}");
    }
    for (fault, suffix, other) in [
        (Fault::SuffixIgnored, "HTTP/1.1 200 ", "HTTP/1.1 206 "),
        (Fault::SuffixRefused(416), "HTTP/1.1 416 ", "HTTP/1.1 206 "),
    ] {
        let (head, _) = under(fault.clone(), "Range: bytes=-4\r\n").await;
        assert!(head.starts_with(suffix), "{fault:?}: {head}");
        assert!(!head.contains("Content-Range"), "{fault:?}: {head}");
        let (head, _) = under(fault.clone(), range).await;
        assert!(head.starts_with(other), "{fault:?}: {head}");
    }
    let (head, _) = under(Fault::NoContentRange, range).await;
    assert!(!head.contains("Content-Range"));
}

#[tokio::test]
async fn head_faults_are_byte_exact() {
    for (fault, start, part) in [
        (Fault::Status(502), "HTTP/1.1 502 ", "text/html"),
        (Fault::RetryAfter("7"), "HTTP/1.1 429 ", "Retry-After: 7"),
        (
            Fault::Redirect {
                status: 307,
                to: "http://127.0.0.1:1/x".to_owned(),
            },
            "HTTP/1.1 307 ",
            "Location: http://127.0.0.1:1/x",
        ),
        (Fault::GarbageHead, "\u{16}\u{3} not HTTP", ""),
        (Fault::Informational, "HTTP/1.1 103 Early Hints\r\n", ""),
        (
            Fault::HugeHeader(100_000),
            "HTTP/1.1 200 ",
            &"h".repeat(100_000),
        ),
        (Fault::ManyHeaders(300), "HTTP/1.1 200 ", "X-Many-299: m"),
        (
            Fault::Html {
                content_type: "video/mp4",
            },
            "HTTP/1.1 200 ",
            "Content-Type: video/mp4",
        ),
        (
            Fault::Blanks("<"),
            "HTTP/1.1 200 ",
            "Transfer-Encoding: chunked",
        ),
        (Fault::Gzip, "HTTP/1.1 200 ", "Content-Encoding: gzip"),
        (
            Fault::Replaced {
                etag: "\"new\"".to_owned(),
                seed: 9,
            },
            "HTTP/1.1 200 ",
            "ETag: \"new\"",
        ),
        (Fault::CloseBeforeHead, "", ""),
    ] {
        let (head, body) = under(fault.clone(), "").await;
        assert!(head.starts_with(start), "{fault:?}: {head}");
        assert!(head.contains(part), "{fault:?}: {head}");
        let is_html = matches!(fault, Fault::Html { .. });
        assert_eq!(
            body.contains("<html>") && is_html,
            is_html,
            "{fault:?}: {body}"
        );
        if matches!(fault, Fault::CloseBeforeHead) {
            assert_eq!(head, "");
        }
    }
    let (_, body) = under(Fault::Informational, "").await;
    assert!(
        body.contains("100 Continue") && body.ends_with("0123456789"),
        "{body}"
    );
}

#[tokio::test]
async fn resets_reach_the_client_as_resets() {
    for fault in [
        Fault::ResetBeforeHead,
        Fault::Reset { at: 4 },
        Fault::TailUnreachable { from: 4 },
    ] {
        let upstream = upstream().await;
        upstream.world.fault(Rule::address(ADDRESS, fault.clone()));
        let error = raw(&upstream, "").await.expect_err("a reset");
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::ConnectionReset,
            "{fault:?}"
        );
        assert_eq!(upstream.world.records()[0].progress, Progress::Cut);
    }
    let upstream = upstream().await;
    upstream
        .world
        .fault(Rule::address(ADDRESS, Fault::TailUnreachable { from: 4 }));
    let headers = "Range: bytes=1-3\r\nConnection: close\r\n";
    let before = raw(&upstream, headers)
        .await
        .expect("bytes before the tail");
    assert!(before.ends_with("\r\n\r\n123"), "{before}");
}

#[tokio::test]
async fn stall_lasts_until_the_gate_opens() {
    for is_before_head in [true, false] {
        let (upstream, gate) = (upstream().await, Gate::new());
        let fault = if is_before_head {
            Fault::StallBeforeHead(gate.clone())
        } else {
            Fault::Stall {
                at: 4,
                gate: gate.clone(),
            }
        };
        upstream.world.fault(Rule::host("cdn.test", fault));
        let reading = async {
            raw(&upstream, "Connection: close\r\n")
                .await
                .expect("an answer")
        };
        let opening = async {
            let is_held = |traffic: &Traffic| {
                traffic
                    .records
                    .first()
                    .is_some_and(|record| record.progress == Progress::Held)
            };
            upstream.world.wait_for("the answer is held", is_held).await;
            let taken = upstream.world.records()[0].taken;
            assert_eq!(taken, if is_before_head { 0 } else { 4 });
            gate.open();
        };
        let (answer, ()) = tokio::join!(reading, opening);
        assert!(answer.ends_with("\r\n\r\n0123456789"), "{answer}");
    }
}

#[tokio::test]
async fn rules_strike_the_requests_they_name() {
    let upstream = upstream().await;
    let status = async |headers: &str| {
        let headers = format!("{headers}Connection: close\r\n");
        let answer = raw(&upstream, &headers).await.expect("an answer");
        answer[9..12].parse::<u16>().expect("a status")
    };
    upstream
        .world
        .fault(Rule::address(ADDRESS, Fault::Status(500)).nth(2));
    assert_eq!(
        [status("").await, status("").await, status("").await],
        [200, 500, 200]
    );
    upstream.world.clear_faults();
    upstream
        .world
        .fault(Rule::path_prefix("/fi", Fault::Status(403)).since(2));
    assert_eq!(
        [status("").await, status("").await, status("").await],
        [200, 403, 403]
    );
    upstream.world.clear_faults();
    upstream.world.fault(
        Rule::address(ADDRESS, Fault::Status(429))
            .first(1)
            .at_offset(5),
    );
    let ranged = "Range: bytes=5-\r\n";
    assert_eq!(
        [status("").await, status(ranged).await, status(ranged).await],
        [200, 429, 206]
    );
    assert_eq!(upstream.world.count(ADDRESS), 9);
    assert_eq!(
        upstream
            .world
            .look(|traffic| traffic.to_host("cdn.test").count()),
        9
    );
}
