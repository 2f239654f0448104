//! Pages: headers, cookies, size and time.

use super::*;

#[tokio::test]
async fn fetch_sends_headers_in_order_with_cookies_and_keeps_what_is_set() {
    let upstream = Upstream::start(|_| {
        "HTTP/1.1 200 OK\r\nSet-Cookie: b=2; Path=/\r\nSet-Cookie: c=3; Domain=evil.example\r\n\
         Content-Length: 2\r\n\r\nhi"
    })
    .await;
    let mut jar = Jar::new(None);
    let url = Url::parse("http://a.example/page?x=%7C|&&y").unwrap();
    let mut earlier = HeaderMap::new();
    earlier.insert("set-cookie", HeaderValue::from_static("a=1; Path=/"));
    jar.store(&url, &earlier);
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static("ua"));
    headers.insert("referer", HeaderValue::from_static("http://a.example/"));
    let request = PageRequest {
        method: Method::POST,
        url: &url,
        headers,
        body: Some(Bytes::from_static(b"{}")),
        hosts: &hosts(),
        max_bytes: LIMIT,
        timeout: PATIENCE,
    };
    let page = client(&upstream).fetch(request, &mut jar).await.unwrap();
    assert_eq!((page.status.as_u16(), &page.body[..]), (200, &b"hi"[..]));
    let names: Vec<String> = jar.guest_cookies().into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["a", "b"]);
    let head = upstream.heads().remove(0);
    let start = "POST http://a.example/page?x=%7C|&&y HTTP/1.1\r\nuser-agent: ua\r\nreferer: http://a.example/\r\ncookie: a=1\r\n";
    assert!(head.starts_with(start), "{head}");
    assert!(
        head.contains("accept-encoding: gzip,deflate,br\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn fetch_decompresses_and_counts_what_comes_out() {
    let upstream = Upstream::start(|line| {
        if line.contains("/bomb") {
            gzip_page(&vec![0; LIMIT + 1])
        } else {
            gzip_page(&vec![b'x'; LIMIT])
        }
    })
    .await;
    let client = client(&upstream);
    let page = fetch(&client, "http://a.example/page").await.unwrap();
    assert_eq!(page.body.len(), LIMIT);
    let error = fetch(&client, "http://a.example/bomb").await.unwrap_err();
    assert!(
        matches!(error, NetError::TooLarge { limit: LIMIT, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn fetch_refuses_an_announced_length_before_reading() {
    let upstream =
        Upstream::start(|_| held("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")).await;
    let error = fetch(&client(&upstream), "http://a.example/")
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn fetch_returns_a_redirect_without_following_it() {
    let upstream = Upstream::start(|_| redirect_to("/elsewhere?b")).await;
    let page = fetch(&client(&upstream), "http://a.example/a")
        .await
        .unwrap();
    assert_eq!(page.status.as_u16(), 302);
    assert_eq!(
        page.location.map(String::from).as_deref(),
        Some("http://a.example/elsewhere?b")
    );
    assert_eq!(upstream.heads().len(), 1);
}

#[tokio::test]
async fn fetch_time_outs_name_their_phase() {
    let upstream = Upstream::start(|line| {
        if line.contains("/head") {
            held("")
        } else {
            held("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        }
    })
    .await;
    let hasty = ClientConfig {
        page_head_timeout: SHORT,
        ..config_for(&upstream)
    };
    let hasty = Client::new(hasty).unwrap();
    let error = fetch(&hasty, "http://a.example/head").await.unwrap_err();
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
    let jar = &mut Jar::new(None);
    let error = fetch_with(&client(&upstream), "http://a.example/body", SHORT, jar)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            NetError::Timeout {
                phase: Phase::Whole,
                ..
            }
        ),
        "{error}"
    );
}
