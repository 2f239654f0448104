//! Every form of address that names a post.

use serde_json::Value;

use crate::harness::Stage;
use crate::harness::upstream::tiktok::Item;

const ID: &str = "7524919459643919631";

#[tokio::test]
async fn every_form_leads_to_the_post_with_one_page_asked_for() {
    let stage = Stage::new().await;
    stage.serve(&Item::video(ID));
    for form in [
        "https://www.tiktok.com/@harbour.keeper/video/ID",
        "http://www.tiktok.com/@harbour.keeper/video/ID",
        "https://tiktok.com/@harbour.keeper/video/ID/",
        "https://www.tiktok.com/@harbour.keeper/photo/ID",
        "https://www.tiktok.com/@/video/ID",
        "https://www.tiktok.com/%40harbour.keeper/video/ID?_t=8abc&_r=1#top",
        "https://www.tiktok.com/@..%2F..%2Fetc/video/ID",
        "https://www.tiktok.com/video/ID",
        "https://www.tiktok.com/embed/ID",
        "https://www.tiktok.com/embed/v2/ID",
        "https://www.tiktok.com/embed/v3/ID?lang=en",
        "https://www.tiktok.com/player/v1/ID",
        "https://www.tiktok.com/share/video/ID",
        "https://www.tiktokv.com/share/video/ID/",
        "https://m.tiktok.com/v/ID.html",
        "https://m.tiktok.com/@harbour.keeper/video/ID",
        "https://www.tiktok.com./@harbour.keeper/video/ID",
        "https://www.tiktok.com:443/@harbour.keeper/video/ID",
        "WWW.TikTok.com/@harbour.keeper/video/ID",
    ] {
        let answer = stage.post(&form.replace("ID", ID)).await;
        let body = answer.json();
        assert_eq!(
            (answer.status.as_u16(), &body["id"]),
            (200, &ID.into()),
            "{form}: {body:#}"
        );
        assert_eq!(
            body["url"],
            format!("https://www.tiktok.com/@harbour.keeper/video/{ID}"),
            "{form}"
        );
    }
    assert_eq!(stage.pages_asked(), 1, "one post, whatever its address");
    stage.assert_well().await;
}

#[tokio::test]
async fn page_is_asked_for_under_a_clean_address() {
    let stage = Stage::new().await;
    stage.serve(&Item::photo(ID, 1));
    let posted = format!("https://www.tiktok.com/@har%22bour/photo/{ID}?secret=1#x");
    let body: Value = stage.post(&posted).await.json();
    assert_eq!(body["status"], "picker", "{body:#}");
    let asked = stage.world().records().remove(0);
    assert_eq!(
        asked.address,
        format!("https://www.tiktok.com/@_/video/{ID}")
    );
    assert_eq!(asked.header("referer"), Some("https://www.tiktok.com/"));
    assert!(
        asked
            .header("user-agent")
            .is_some_and(|agent| agent.contains("Mozilla/5.0"))
    );
    assert!(
        asked.header("x-forwarded-for").is_none(),
        "the site refuses who sends it"
    );
    stage.assert_well().await;
}
