//! What TikTok's answers name.

use serde_json::json;
use tokio::sync::Mutex;

use super::{Case, Heard, Scene, follow, redirected};
use crate::harness::upstream::tiktok::{Item, WWW};
use crate::harness::upstream::{Answer, Fault, Page, Record, Rule};
use crate::harness::{Fetched, Stage, address, link};

/// A format that every made-up video has.
const PLAY: &str = "h264_720p_1490112";
/// Where its files lie.
const FOLDER: &str = "/video/tos/test/tos-test-ve-0068c001";

/// What lies below is no media.
pub(in crate::ssrf) const REFUSED: &str = "/refused/";

/// Posts that were resolved, each with the link to its video: media move, posts stay.
pub(in crate::ssrf) struct Posts(Vec<Mutex<(Item, String)>>);

impl Posts {
    /// So many posts whose ids begin so.
    pub(in crate::ssrf) async fn open(stage: &Stage, count: usize) -> Self {
        let mut posts = Vec::new();
        for number in 0..count {
            let item = Item::video(&format!("75249195{number:011}"));
            // At one address.
            let list = "/video/bitrateInfo/1/PlayAddr/UrlList";
            let address = address(&item, "/video/playAddr");
            let item = item.with(list, json!([address]));
            let play = link(&stage.resolve(&item).await, PLAY);
            posts.push(Mutex::new((item, play)));
        }
        Self(posts)
    }

    /// Lets the media of a post move to `to`, and asks for them.
    pub(in crate::ssrf) async fn move_to(
        &self,
        stage: &Stage,
        (number, status): (usize, u16),
        to: &str,
    ) -> Fetched {
        let post = self.0[number % self.0.len()].lock().await;
        let (item, play) = &*post;
        let prefix = format!("{FOLDER}/{}-", item.id());
        let to = to.to_owned();
        let redirect = Fault::Redirect { status, to };
        let rule = Rule::path_prefix(&prefix, redirect);
        stage.world().replace_fault(rule);
        let is_moved = |record: &Record| record.target.starts_with(&prefix);
        redirected(stage, status, is_moved, stage.api().get(play)).await
    }
}

impl Case {
    pub(super) async fn hop(&self, stage: &Stage) -> Fetched {
        let path = format!("/ZM{}/", self.number);
        // No post, so that it must be asked where it leads.
        let url = match &*self.host {
            "m.tiktok.com" => format!("https://m.tiktok.com/t/ZT{}/", self.number),
            _ => self.url(),
        };
        let answer = Answer::redirect(self.status, &url);
        let page = Page::new("vt.tiktok.com", &path, vec![answer]);
        stage.world().page(page);
        let link = format!("https://vt.tiktok.com{path}");
        let is_link = |record: &Record| record.address == link;
        redirected(stage, self.status, is_link, stage.post(&link)).await
    }

    pub(super) async fn page(&self, stage: &Stage) -> Fetched {
        let path = format!("/@*/video/{}", self.id());
        let answer = Answer::redirect(self.status, &self.url());
        stage.world().page(Page::new(WWW, &path, vec![answer]));
        let (url, id) = (self.post_url(WWW), self.id());
        let is_page = |record: &Record| record.host == WWW && record.target.contains(&id);
        redirected(stage, self.status, is_page, stage.post(&url)).await
    }

    pub(super) async fn media(&self, scene: &Scene<'_>) -> Fetched {
        let which = (self.number, self.status);
        let to = self.url();
        scene.posts.move_to(scene.stage, which, &to).await
    }

    pub(super) async fn mirror(&self, stage: &Stage) -> Heard {
        let item = self.item_at(&[&self.url()]);
        let answer = stage.post(&stage.serve(&item)).await;
        follow(stage, answer, "/download_link/no_watermark").await
    }

    pub(super) async fn second_mirror(&self, stage: &Stage) -> Heard {
        let number = self.number;
        let first = format!("https://v16-webapp-prime.tiktok.com{REFUSED}{number}/");
        let item = self.item_at(&[&first, &self.url()]);
        let answer = stage.post(&stage.serve(&item)).await;
        follow(stage, answer, "/download_link/no_watermark").await
    }

    /// A video that lies at these addresses alone.
    fn item_at(&self, urls: &[&str]) -> Item {
        let mut item = Item::video(&self.id())
            .without("/video/downloadAddr")
            .without("/music/playUrl")
            .with("/video/playAddr", urls[0].into());
        for gear in 0..4 {
            let list = format!("/video/bitrateInfo/{gear}/PlayAddr/UrlList");
            item = item.with(&list, json!(urls));
        }
        item
    }

    pub(super) async fn picture(&self, stage: &Stage, pointer: &str) -> Heard {
        let answer = stage.post(&stage.serve(&self.photo())).await;
        follow(stage, answer, &format!("/download_link{pointer}")).await
    }

    pub(super) async fn slideshow(&self, stage: &Stage) -> Heard {
        let answer = stage.post(&stage.serve(&self.photo())).await;
        follow(stage, answer, "/download_slideshow_link").await
    }

    /// A post of one picture at the host, and no sound.
    fn photo(&self) -> Item {
        Item::photo(&self.id(), 1)
            .without("/music/playUrl")
            .with("/imagePost/images/0/imageURL/urlList", json!([self.url()]))
    }

    pub(super) async fn sound(&self, stage: &Stage) -> Heard {
        let item = Item::video(&self.id()).with("/music/playUrl", self.url().into());
        let answer = stage.post(&stage.serve(&item)).await;
        follow(stage, answer, "/download_link/mp3").await
    }
}
