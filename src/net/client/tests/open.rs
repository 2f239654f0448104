//! Media: ranges, redirects, ends and time.

use super::*;

#[tokio::test]
async fn open_passes_bytes_as_they_are_with_headers_of_its_own() {
    let upstream = Upstream::start(|_| {
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 3\r\n\r\nabc"
    })
    .await;
    let client = client(&upstream);
    let media = open(&client, "http://a.example/v?a=1988&bti=x==&&bt=10&ds=%7C|")
        .await
        .unwrap();
    assert_eq!(media.status.as_u16(), 206);
    assert_eq!(media.headers["content-range"], "bytes 0-2/3");
    assert_eq!(media.host, HOST);
    assert_eq!(read(media).await.unwrap(), b"abc");
    let head = upstream.heads().remove(0);
    let start = "GET http://a.example/v?a=1988&bti=x==&&bt=10&ds=%7C| HTTP/1.1\r\nreferer: https://a.example/\r\n";
    assert!(head.starts_with(start), "{head}");
    assert!(
        head.contains("accept-encoding: identity\r\nrange: bytes=0-\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn open_follows_redirects_with_the_cookies_of_each_hop() {
    let upstream = Upstream::start(|line| match line {
        line if line.contains("a.example") => redirect_to("http://v.b.example/file"),
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
    })
    .await;
    let mut jar = Jar::new(None);
    for (host, cookie) in [("a.example", "a=1"), ("b.example", "b=2; Domain=b.example")] {
        let mut headers = HeaderMap::new();
        headers.insert("set-cookie", cookie.parse().unwrap());
        jar.store(&Url::parse(&format!("http://{host}/")).unwrap(), &headers);
    }
    let client = client(&upstream);
    let media = open_with(&client, "http://a.example/x", &jar)
        .await
        .unwrap();
    assert_eq!(media.host, "v.b.example");
    assert_eq!(read(media).await.unwrap(), b"ok");
    let heads = upstream.heads();
    assert!(heads[0].contains("cookie: a=1\r\n"), "{}", heads[0]);
    assert!(heads[1].contains("cookie: b=2\r\n"), "{}", heads[1]);
    assert!(heads[1].contains("range: bytes=0-\r\n"), "{}", heads[1]);
}

#[tokio::test]
async fn open_follows_five_redirects_and_no_more() {
    let upstream = Upstream::start(|line| {
        let step = line
            .split(['/', ' '])
            .nth(4)
            .and_then(|n| n.parse().ok())
            .unwrap_or(0_u32);
        match step {
            5 => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
            _ => redirect_to(&format!("/{}", step + 1)),
        }
    })
    .await;
    let client = client(&upstream);
    assert!(open(&client, "http://a.example/0").await.is_ok());
    assert_eq!(upstream.heads().len(), 6);
    let error = open(&client, "http://a.example/6").await.unwrap_err();
    assert!(matches!(error, NetError::Redirect { .. }), "{error}");
    assert_eq!(upstream.heads().len(), 12);
}

#[tokio::test]
async fn open_redirect_outside_the_list_or_nowhere_is_refused() {
    let upstream = Upstream::start(|line| match line {
        line if line.contains("/out") => redirect_to("http://evil.example/"),
        line if line.contains("/ip") => redirect_to("http://[::1]/"),
        _ => "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n".to_owned(),
    })
    .await;
    let client = client(&upstream);
    let error = open(&client, "http://a.example/out").await.unwrap_err();
    assert!(
        matches!(error, NetError::Guard(GuardError::Host)),
        "{error}"
    );
    let error = open(&client, "http://a.example/ip").await.unwrap_err();
    assert!(
        matches!(error, NetError::Guard(GuardError::IpLiteral)),
        "{error}"
    );
    let error = open(&client, "http://a.example/none").await.unwrap_err();
    assert!(matches!(error, NetError::Redirect { .. }), "{error}");
    assert_eq!(upstream.heads().len(), 3);
}

#[tokio::test]
async fn open_redirect_from_https_to_http_is_refused() {
    let upstream = Upstream::start(|_| redirect_to("http://a.example/")).await;
    let error = open(&client(&upstream), "https://a.example/")
        .await
        .unwrap_err();
    assert!(
        matches!(error, NetError::Guard(GuardError::Downgrade)),
        "{error}"
    );
    let heads = upstream.heads();
    assert!(
        heads[0].starts_with("CONNECT a.example:443 "),
        "{}",
        heads[0]
    );
    assert_eq!(heads.len(), 2);
}

#[tokio::test]
async fn open_file_with_a_content_encoding_is_refused_and_an_error_answer_is_not() {
    let upstream = Upstream::start(|line| {
        let status = if line.contains("/gone") {
            "403 Forbidden"
        } else {
            "200 OK"
        };
        format!("HTTP/1.1 {status}\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx")
    })
    .await;
    let client = client(&upstream);
    let error = open(&client, "http://a.example/file").await.unwrap_err();
    assert!(matches!(error, NetError::Broken { .. }), "{error}");
    let media = open(&client, "http://a.example/gone").await.unwrap();
    assert_eq!(media.status.as_u16(), 403);
}

#[tokio::test]
async fn open_body_that_breaks_off_is_an_error_and_never_an_end() {
    let upstream = Upstream::start(|line| {
        if line.contains("/length") {
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
        } else {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        }
    })
    .await;
    let client = client(&upstream);
    for url in ["http://a.example/length", "http://a.example/chunks"] {
        let error = read(open(&client, url).await.unwrap()).await.unwrap_err();
        assert!(matches!(error, NetError::Broken { .. }), "{error}");
    }
}

#[tokio::test]
async fn open_time_outs_name_their_phase() {
    let upstream = Upstream::start(|line| {
        if line.contains("/head") {
            held("")
        } else {
            held("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        }
    })
    .await;
    let hasty = ClientConfig {
        media_head_timeout: SHORT,
        ..config_for(&upstream)
    };
    let hasty = Client::new(hasty).unwrap();
    let error = open(&hasty, "http://a.example/head").await.unwrap_err();
    assert!(
        matches!(
            error,
            NetError::Timeout {
                phase: Phase::Head,
                ..
            }
        ),
        "{error}"
    );
    let impatient = ClientConfig {
        idle_timeout: SHORT,
        ..config_for(&upstream)
    };
    let impatient = Client::new(impatient).unwrap();
    let media = open(&impatient, "http://a.example/body").await.unwrap();
    let error = read(media).await.unwrap_err();
    assert!(
        matches!(
            error,
            NetError::Timeout {
                phase: Phase::Body,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn open_answer_dropped_half_way_closes_its_connection() {
    let upstream =
        Upstream::start(|_| held("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")).await;
    let mut media = open(&client(&upstream), "http://a.example/").await.unwrap();
    assert_eq!(media.chunk().await.unwrap().unwrap(), "abc");
    drop(media);
    tokio::time::timeout(PATIENCE, upstream.closed())
        .await
        .unwrap();
}
