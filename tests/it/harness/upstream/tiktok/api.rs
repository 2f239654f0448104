//! The JSON doors: TikTok's mobile API and Douyin's detail answer and share page.

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::page::Page;
use super::super::world::World;
use super::files::serve_files;

/// Host of the mobile API.
const APP_HOST: &str = "api16-normal-c-useast1a.tiktokv.com";
/// Path of its answer about several posts.
const APP_PATH: &str = "/aweme/v1/multi/aweme/detail/";

/// The mobile API.
#[derive(Debug)]
pub(crate) enum AppApi {
    /// It knows this post.
    Knows(Value),
    /// It turns the device away: status 200 and no body.
    Refuses,
}

impl AppApi {
    /// Puts the endpoint, and the files of the post, into the world.
    pub(crate) fn serve(self, world: &World) {
        let answer = match self {
            Self::Knows(aweme) => {
                serve_files(world, &aweme);
                Answer::json(&json!({ "aweme_details": [aweme], "status_code": 0 }))
            }
            Self::Refuses => empty(),
        };
        world.page(Page::new(APP_HOST, APP_PATH, vec![answer]).with_method("POST"));
    }
}

/// Douyin's detail endpoint for one post.
#[derive(Debug)]
pub(crate) enum DouyinDetail {
    /// It answers those who send the headers of a browser tab on `open.douyin.com`; all others get an empty body.
    WithHeaders(Value),
    /// It answers those who send this cookie; all others get an empty body.
    WithCookie(Value, &'static str),
    /// The post is gone, for this reason.
    Filtered {
        /// Id of the post.
        id: String,
        /// `filter_reason`.
        reason: &'static str,
    },
    /// It answers nobody.
    Empty {
        /// Id of the post.
        id: String,
    },
}

impl DouyinDetail {
    /// Puts the endpoint, and the files of the post, into the world.
    pub(crate) fn serve(self, world: &World) {
        let page = match self {
            Self::WithHeaders(aweme) => ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"]
                .into_iter()
                .fold(knows(world, &aweme), |page, name| {
                    page.requiring(name, "", empty())
                })
                .requiring("referer", "https://open.douyin.com/", empty())
                .requiring("origin", "https://open.douyin.com", empty()),
            Self::WithCookie(aweme, name) => {
                knows(world, &aweme).requiring("cookie", name, empty())
            }
            Self::Filtered { id, reason } => detail(
                &id,
                Answer::json(&json!({
                    "aweme_detail": null,
                    "filter_detail": { "aweme_id": id, "filter_reason": reason },
                    "status_code": 0,
                })),
            ),
            Self::Empty { id } => detail(&id, empty()),
        };
        world.page(page);
    }
}

fn knows(world: &World, aweme: &Value) -> Page {
    serve_files(world, aweme);
    let id = aweme["aweme_id"].as_str().expect("aweme_id");
    detail(
        id,
        Answer::json(&json!({ "aweme_detail": aweme, "status_code": 0 })),
    )
}

fn detail(id: &str, answer: Answer) -> Page {
    Page::new(
        "www.douyin.com",
        "/aweme/v1/web/aweme/detail/",
        vec![answer],
    )
    .with_query("aweme_id", id)
}

/// Puts Douyin's share page for one post, and its files, into the world.
pub(crate) fn serve_douyin_share(world: &World, aweme: &Value) {
    serve_files(world, aweme);
    let id = aweme["aweme_id"].as_str().expect("aweme_id");
    let data = json!({
        "loaderData": {
            "video_layout": null,
            "video_(id)/page": { "videoInfoRes": { "item_list": [aweme], "filter_list": [] } },
        },
        "errors": null,
    });
    let html = format!(
        "<!DOCTYPE html><html><body><script>window._ROUTER_DATA = {}</script></body></html>",
        data.to_string().replace('/', "\\u002F")
    );
    let path = format!("/share/video/{id}/");
    world.page(Page::new(
        "www.iesdouyin.com",
        &path,
        vec![Answer::html(html)],
    ));
}

fn empty() -> Answer {
    Answer::new(200, "text/plain; charset=utf-8", "")
}
