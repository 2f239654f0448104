//! One site: cookies, name, connection, a post, and its last byte.

use std::sync::Arc;
use std::time::Instant;

use http_body_util::BodyExt as _;
use url::Url;

use super::Doctor;
use super::report::{Report, network, title};
use crate::app::App;
use crate::cli::pick;
use crate::clock::Clock;
use crate::extract::{Classified, Extractor};
use crate::http::offline::{self, Answer, Asked, Refused};
use crate::net::Client;
use crate::services::Delivered;
use crate::transfer::Ask;

const OTHER_POST: &str = "name a post that you can see: `serverrs doctor URL`";
const NETWORK: &str =
    "look at the network, at `PROXY`, and whether a program in between needs `EXTRA_CA_FILE`";
const WAY_OUT: &str =
    "try another way out (`PROXY`), cookies of a logged-in browser, or wait; the site decides";

/// Looks at a site, unless other sites alone were asked about.
pub(super) async fn examine(
    app: &App,
    extractor: &Arc<dyn Extractor>,
    doctor: &Doctor,
    report: &mut Report,
) {
    let own = doctor.urls.iter().find(|url| is_of(extractor, url));
    if own.is_none() && !doctor.urls.is_empty() {
        return;
    }
    title(&format!(
        "\n{} ({})",
        extractor.title(),
        extractor.version()
    ));
    cookies(extractor, report);
    let Some(post) = own.map(String::as_str).or_else(|| extractor.sample()) else {
        report.ok("post", "none is known to last: name one to try this site");
        return;
    };
    if let Ok(url) = Url::parse(post) {
        connection(app, &url, report).await;
    }
    let Some(answer) = extraction(app, post, own.is_some(), report).await else {
        return;
    };
    match extractor.asked_from(&answer.extraction) {
        Some(address) if doctor.show_address => report.ok("seen as", &address.to_string()),
        Some(address) => report.ok("seen as", &network(address)),
        None => report.ok("seen as", "the site doesn't tell"),
    }
    media(app, &answer, report).await;
}

fn is_of(extractor: &Arc<dyn Extractor>, text: &str) -> bool {
    let url = Url::parse(text);
    url.is_ok_and(|url| !matches!(extractor.classify(&url), Classified::Foreign))
}

fn cookies(extractor: &Arc<dyn Extractor>, report: &mut Report) {
    let now = Clock::System.unix_seconds();
    let count = extractor
        .account_cookies()
        .map(|cookies| cookies.count_at(now));
    report.log();
    match count {
        None => report.ok("cookies", "no file: the site is asked as a guest"),
        Some((0, dead)) => {
            let text = format!("none that is alive, {dead} that are over");
            report.warn(
                "cookies",
                &text,
                "export them anew from a logged-in browser",
            );
        }
        Some((alive, dead)) => {
            report.ok("cookies", &format!("{alive} alive, {dead} over"));
        }
    }
}

/// Tries the host by every way out.
async fn connection(app: &App, url: &Url, report: &mut Report) {
    for egress in app.resolver.egresses().all() {
        let name = egress.name().map(|name| format!("{name}: "));
        let name = name.unwrap_or_default();
        reach(&egress.client(), &name, url, report).await;
    }
}

async fn reach(net: &Client, name: &str, url: &Url, report: &mut Report) {
    let host = url.host_str().unwrap_or_default();
    if let Some(proxy) = net.proxy_for(url) {
        let text = format!("{name}by {proxy}, which resolves the names");
        report.ok("way out", &text);
    } else {
        report.ok("way out", &format!("{name}direct"));
        match net.addresses(host).await {
            Ok(addresses) => {
                let text = format!("{host} has {} addresses", addresses.len());
                report.ok("dns", &text);
            }
            Err(error) => {
                let advice = "look at the resolver of this machine (`/etc/resolv.conf`)";
                report.fail("dns", &error.to_string(), advice);
                return;
            }
        }
    }
    let started = Instant::now();
    match net.reach(url).await {
        Ok(()) => {
            let ms = started.elapsed().as_millis();
            report.ok("tls", &format!("{host} in {ms} ms"));
        }
        Err(error) => report.fail("tls", &error.to_string(), NETWORK),
    }
}

async fn extraction(app: &App, post: &str, is_own: bool, report: &mut Report) -> Option<Answer> {
    let started = Instant::now();
    let resolved = offline::resolve(app, &Asked::of(post)).await;
    let was_solved = report
        .log()
        .iter()
        .any(|message| message == "challenge solved");
    let answer = match resolved {
        Ok(answer) => answer,
        Err(refused) => {
            failed(&refused, is_own, report);
            return None;
        }
    };
    let solved = if was_solved {
        "posed and solved"
    } else {
        "none was posed"
    };
    report.ok("challenge", solved);
    let ms = started.elapsed().as_millis();
    let count = answer.offers.entries.len();
    let id = &answer.extraction.id;
    report.ok(
        "post",
        &format!("{id}: {count} things to download, in {ms} ms"),
    );
    Some(answer)
}

fn failed(refused: &Refused, is_own: bool, report: &mut Report) {
    let text = format!("{}: {}", refused.code, refused.message);
    match refused.code.as_str() {
        // What is wrong with the post says nothing of the site.
        "not_found" | "private" | "login_required" | "age_restricted" | "region_blocked"
            if !is_own =>
        {
            report.warn("post", &text, OTHER_POST);
        }
        "not_found" | "private" | "bad_url" | "unsupported_url" => {
            report.warn("post", &text, OTHER_POST);
        }
        "upstream_error" | "upstream_timeout" | "upstream_unavailable" => {
            report.fail("post", &text, NETWORK);
        }
        "extraction_failed" => {
            let advice = "the site may have changed: look for a newer version of serverrs";
            report.fail("post", &text, advice);
        }
        _ => report.fail("post", &text, WAY_OUT),
    }
}

/// Asks for the last byte of a file, which must be there before a download may promise it.
async fn media(app: &App, answer: &Answer, report: &mut Report) {
    let Some(pick) = pick::probe(answer) else {
        report.fail("media", "nothing to download", WAY_OUT);
        return;
    };
    let ask = Ask {
        range: Some("bytes=-1".to_owned()),
        ..Ask::default()
    };
    let refused = match app.deliverer.deliver(&pick.token, ask).await {
        Ok(Delivered::Media(delivery)) => {
            let total = delivery.transfer.head.total;
            let body = delivery.transfer.body.collect().await;
            match body.map(|body| body.to_bytes().is_empty()) {
                Ok(false) => {
                    let size = total.map_or_else(String::new, |total| format!(" of {total}"));
                    let text = format!("{}: the last byte{size} came", pick.format);
                    return report.ok("media", &text);
                }
                Ok(true) => "no byte came".to_owned(),
                Err(broken) => broken.to_string(),
            }
        }
        Ok(Delivered::Text(_)) => "a text in place of media".to_owned(),
        Err(error) => {
            let refused = offline::undelivered(error);
            format!("{}: {}", refused.code, refused.message)
        }
    };
    report.log();
    report.fail("media", &refused, WAY_OUT);
}
