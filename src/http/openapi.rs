//! The document of the API (OpenAPI 3.1), made from the handlers: a route can't be added without its description.
//!
//! What handlers share is here: facts about the server, what requests may say, what errors say, and which errors a kind
//! of route has.

use std::collections::BTreeMap;

use serde_json::json;
use url::Url;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, Header, Ref, RefOr, Response, ResponseBuilder, Schema, Server,
};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi, ToSchema};

/// The document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "serverrs",
        description = "Turns a link to a post into facts and working download links, and streams the bytes without storing \
                       them.\n\nEvery GET route answers HEAD too, and every route answers the preflight requests of browsers. \
                       Errors have one shape; `error_code` is stable, `message` is for people."
    ),
    components(schemas(ErrorBody)),
    modifiers(&Keys),
    tags(
        (name = "resolve", description = "A link in, facts and download links out"),
        (name = "media", description = "The bytes behind a download link"),
        (name = "broadcasts", description = "Playlists on air: records, what they do, and what they say"),
        (name = "operate", description = "For whoever runs the server"),
    )
)]
struct Document;

/// How clients show an API key.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let own = ApiKey::Header(ApiKeyValue::new("X-API-Key"));
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(own));
        let bearer = Http::new(HttpAuthScheme::Bearer);
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description = Some("`BROADCAST_API_TOKEN` of the server".to_owned());
        components.add_security_scheme("broadcast_token", SecurityScheme::Http(token));
    }
}

/// The document that the routes are added to. Paths in it go on from the path of `base_url`.
pub(super) fn document(base_url: &str) -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let path = Url::parse(base_url).map(|url| url.path().trim_end_matches('/').to_owned());
    if let Ok(path) = path
        && !path.is_empty()
    {
        document.servers = Some(vec![Server::new(path)]);
    }
    document
}

/// What `POST /resolve` reads. A form says the same; fields that it doesn't know are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described: handlers read leniently")]
pub(super) struct ResolveRequest {
    /// Link to a post, or a text with one in it.
    #[schema(examples(
        "https://www.tiktok.com/@whitehouse/video/7587051948285644087",
        "https://vm.tiktok.com/ZMabcdefg/"
    ))]
    url: String,
    /// Largest short side of the picked formats, in pixels.
    max_height: Option<u32>,
    /// The format to be linked in `download_link.selected`. Not together with `selector`.
    format_id: Option<String>,
    /// The same by rule, in the core of yt-dlp's format language.
    selector: Option<String>,
    /// Begin of the part to be linked, in seconds.
    #[schema(minimum = 0)]
    start: Option<f64>,
    /// End of that part, in seconds; after `start`.
    #[schema(minimum = 0)]
    end: Option<f64>,
    /// Find out the exact size of every file that can be joined.
    exact: Option<bool>,
    /// Ask the site even when the answer is cached.
    no_cache: Option<bool>,
}

/// What `POST /playlist` reads.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described: handlers read leniently")]
pub(super) struct PlaylistRequest {
    /// Link to a playlist, mix or album.
    #[schema(examples("https://www.youtube.com/playlist?list=PLBCF2DAC6FFB574DE"))]
    url: String,
    /// Most entries of the answer.
    #[schema(minimum = 1, default = 100)]
    limit: Option<u64>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// What went wrong.
#[derive(ToSchema)]
#[schema(as = Error)]
#[expect(dead_code, reason = "only described: `ApiError` writes it")]
pub(super) struct ErrorBody {
    /// `error`
    status: String,
    /// The HTTP status.
    code: u16,
    /// A sentence for people.
    error: String,
    /// The same.
    message: String,
    /// The same, or a list that says which field is wrong.
    #[schema(value_type = serde_json::Value)]
    detail: String,
    /// The stable word.
    #[schema(examples("not_found"))]
    error_code: String,
    /// `false`
    success: bool,
    /// What the log calls this request.
    request_id: Option<String>,
    /// Seconds, as in `Retry-After`.
    retry_after: Option<u64>,
    /// Unix second at which an announced broadcast begins.
    starts_at: Option<u64>,
}

type Responses = BTreeMap<String, RefOr<Response>>;

/// Errors by status, with what they mean.
pub(super) fn refusals(list: &[(u16, &str)]) -> Responses {
    let error = || {
        ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Error")))
            .build()
    };
    let told = list.iter().map(|(status, description)| {
        let mut response = ResponseBuilder::new()
            .description(*description)
            .content("application/json", error());
        if matches!(status, 429 | 503) {
            let seconds: Schema = utoipa::schema!(u64).into();
            response = response.header("Retry-After", Header::new(seconds));
        }
        (status.to_string(), RefOr::T(response.build()))
    });
    told.collect()
}

/// Errors of every route.
pub(super) const ANYWHERE: [(u16, &str); 3] = [
    (408, "The request took too long to arrive"),
    (414, "The address is too long"),
    (500, "Something that should not happen, in this server"),
];

/// Errors of keys and limits.
const GUARD: [(u16, &str); 2] = [
    (401, "An API key is wanted, and there is none that counts"),
    (429, "More requests than the limit of this client"),
];

/// Errors of asking a site.
pub(super) const SITE: [(u16, &str); 6] = [
    (
        403,
        "Private, for members only, age restricted; or a key that is not for this route",
    ),
    (404, "There is no such post, or no such format"),
    (451, "Not available in the region of this server"),
    (502, "The site could not be reached, or has changed"),
    (503, "Busy, blocked by the site, or stopping"),
    (504, "The site did not answer in time"),
];

/// Errors of routes that anybody may ask for anything.
pub(super) struct Anywhere;

impl IntoResponses for Anywhere {
    fn responses() -> Responses {
        refusals(&ANYWHERE)
    }
}

/// Errors of routes that ask a site about a posted link.
pub(super) struct OfResolving;

impl IntoResponses for OfResolving {
    fn responses() -> Responses {
        let own = [
            (
                400,
                "The link is none, of no site that is served, or names no post",
            ),
            (413, "The body is too large"),
            (422, "A field is missing or of a wrong type"),
        ];
        refusals(&[&ANYWHERE[..], &GUARD, &SITE, &own].concat())
    }
}

/// What a link of a post delivers.
pub(super) struct LinkedFile;

impl IntoResponses for LinkedFile {
    fn responses() -> Responses {
        let texts = [
            "text/vtt; charset=utf-8",
            "application/x-subrip; charset=utf-8",
        ];
        files(&FILES, &texts)
    }
}

/// What the link of a slideshow delivers: the video, or what is told of its rendering.
pub(super) struct Slideshow;

impl IntoResponses for Slideshow {
    fn responses() -> Responses {
        files(&["video/mp4"], &["text/event-stream"])
    }
}

/// Media types of what links deliver.
const FILES: [&str; 7] = [
    "video/mp4",
    "video/webm",
    "audio/mpeg",
    "audio/mp4",
    "audio/webm",
    "image/*",
    "application/zip",
];

/// A file of one of these types, or one of these texts, which have no ranges.
fn files(types: &[&str], texts: &[&str]) -> Responses {
    let with_files = |description: &str| {
        let response = ResponseBuilder::new().description(description);
        let add = |response: ResponseBuilder, kind: &&str| {
            // Bytes have no schema: the media type says it all (OpenAPI 3.1).
            response.content(*kind, ContentBuilder::new().build())
        };
        types.iter().fold(response, add)
    };
    let whole = texts.iter().fold(with_files("The file"), |response, kind| {
        let text: Schema = utoipa::schema!(String).into();
        response.content(*kind, ContentBuilder::new().schema(Some(text)).build())
    });
    let same = "The file is the one that the client has";
    [
        ("200", whole),
        ("206", with_files("The part that was asked for")),
        ("304", ResponseBuilder::new().description(same)),
    ]
    .map(|(status, response)| (status.to_owned(), RefOr::T(response.build())))
    .into()
}

/// The query of a link.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described: handlers read leniently")]
pub(super) struct LinkQuery {
    /// The part of a link after `data=`
    data: String,
    /// `1` to show the file instead of saving it
    inline: Option<String>,
}

/// The header that asks for a part.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described: handlers read leniently")]
pub(super) struct RangeHeader {
    /// A single range of bytes
    #[param(rename = "Range")]
    range: Option<String>,
}

/// Errors of routes that deliver what a link names.
pub(super) struct OfMedia;

impl IntoResponses for OfMedia {
    fn responses() -> Responses {
        let own = [
            (
                400,
                "The link is damaged, has expired, or asks for what is not there",
            ),
            (412, "The file is not the one that a condition names"),
            (416, "No byte of the file is asked for"),
            (422, "The parameter with the link is missing"),
            (501, "This server has no FFmpeg"),
            (507, "No space is left for temporary files"),
        ];
        refusals(&[&ANYWHERE[..], &GUARD, &SITE, &own].concat())
    }
}

/// The finished document: what an answer to `POST /resolve` links to is said, too.
pub(super) fn text(document: &utoipa::openapi::OpenApi) -> Vec<u8> {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    for path in ["/resolve", "/tiktok"] {
        let answer = document
            .pointer_mut("/paths")
            .and_then(|paths| paths.get_mut(path))
            .and_then(|route| route.pointer_mut("/post/responses/200"));
        if let Some(answer) = answer {
            answer["links"] = json!({
                "stream": link_to("stream", "/data/video_data/0/streamData"),
                "download": link_to("download", "/data/video_data/0/streamData"),
            });
        }
    }
    serde_json::to_vec(&document).unwrap_or_default()
}

/// The operation that takes what stands at a place of the answer.
fn link_to(operation: &str, place: &str) -> serde_json::Value {
    json!({
        "operationId": operation,
        "parameters": { "data": format!("$response.body#{place}") },
    })
}
