//! Posts made up for tests, in the shape of `itemStruct` as pages carried it in 2025 and 2026.

use serde_json::{Value, json};

/// One encoding of a video.
#[derive(Debug, Clone)]
pub(crate) struct Gear {
    /// `GearName`.
    pub(crate) name: &'static str,
    /// `h264`, `bytevc1` or `bytevc2`.
    pub(crate) codec: &'static str,
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    /// Bits per second.
    pub(crate) bitrate: u32,
    /// Bytes of the file.
    pub(crate) size: u64,
}

/// 720 × 1280 in H.264, the play address of most posts of 2026.
const NORMAL_720: Gear = Gear {
    name: "normal_720_0",
    codec: "h264",
    width: 720,
    height: 1280,
    bitrate: 1_490_112,
    size: 600_011,
};
/// 576 × 1024 in H.264.
const NORMAL_540: Gear = Gear {
    name: "normal_540_0",
    codec: "h264",
    width: 576,
    height: 1024,
    bitrate: 942_113,
    size: 400_003,
};
/// 720 × 1280 in HEVC.
const LOWER_720: Gear = Gear {
    name: "adapt_lower_720_1",
    codec: "bytevc1",
    width: 720,
    height: 1280,
    bitrate: 549_720,
    size: 300_007,
};
/// 1080 × 1920 in HEVC.
const LOWEST_1080: Gear = Gear {
    name: "adapt_lowest_1080_1",
    codec: "bytevc1",
    width: 1080,
    height: 1920,
    bitrate: 1_197_885,
    size: 700_001,
};

/// A post under construction; [`Item::json`] is its `itemStruct`.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    json: Value,
}

impl Item {
    /// A portrait video with four gears of two mirrors each, a watermarked file and a sound track.
    pub(crate) fn video(id: &str) -> Self {
        let mut json = frame(id);
        json["video"] = json!({
            "id": id,
            "width": 720,
            "height": 1280,
            "duration": 31,
            "ratio": "720p",
            "format": "mp4",
            "cover": image(id, "cover", "image"),
            "originCover": image(id, "origin-cover", "image"),
            "dynamicCover": image(id, "dynamic-cover", "image"),
            "downloadAddr": video(id, "watermarked", "v16-webapp-prime", 942),
        });
        Self { json }.with_gears(&[LOWEST_1080, NORMAL_720, NORMAL_540, LOWER_720])
    }

    /// A photo post of `count` pictures with a sound track; its video block is hollow.
    pub(crate) fn photo(id: &str, count: usize) -> Self {
        let mut json = frame(id);
        let picture = |name: &str| {
            json!({
                "imageURL": { "urlList": [image(id, name, "jpeg"), image(id, name, "webp")] },
                "imageWidth": 1080,
                "imageHeight": 1436,
            })
        };
        json["video"] = json!({ "id": id, "width": 0, "height": 0, "duration": 0, "playAddr": "" });
        json["imagePost"] = json!({
            "title": "A title of its own",
            "cover": picture("cover"),
            "images": (1..=count).map(|n| picture(&format!("picture-{n}"))).collect::<Vec<_>>(),
        });
        Self { json }
    }

    /// Replaces the gears; the first H.264 one becomes the play address.
    pub(crate) fn with_gears(mut self, gears: &[Gear]) -> Self {
        let id = self.id();
        self.json["video"]["bitrateInfo"] =
            gears.iter().map(|gear| bitrate_info(&id, gear)).collect();
        let play = gears
            .iter()
            .find(|gear| gear.codec == "h264")
            .or(gears.first());
        self.json["video"]["playAddr"] = play
            .map(|gear| video(&id, gear.name, "v16-webapp-prime", gear.bitrate / 1000))
            .into();
        self
    }

    /// Sets what a JSON pointer names; its parent must exist.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.json.pointer_mut(parent).expect("a parent");
        parent[key] = value;
        self
    }

    /// Removes what a JSON pointer names; it must exist.
    pub(crate) fn without(mut self, pointer: &str) -> Self {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.json.pointer_mut(parent).expect("a parent");
        let removed = parent.as_object_mut().expect("an object").shift_remove(key);
        assert!(removed.is_some(), "nothing at {pointer}");
        self
    }

    /// The post's id.
    pub(crate) fn id(&self) -> String {
        self.json["id"].as_str().expect("id").to_owned()
    }

    /// The `itemStruct`.
    pub(crate) fn json(&self) -> &Value {
        &self.json
    }
}

/// Posts of different kinds, for a look around and for comparisons.
pub(crate) fn samples() -> Vec<Item> {
    vec![
        Item::video("7524919459643919201"),
        Item::photo("7524919459643919202", 3),
        Item::photo("7524919459643919203", 1).without("/music/playUrl"),
        Item::video("7524919459643919204")
            .without("/video/downloadAddr")
            .without("/music/playUrl")
            .without("/music/authorName")
            .without("/statsV2")
            .with("/desc", "".into()),
        landscape("7524919459643919205"),
    ]
}

/// A landscape video with everything that calls for a decision: gears that can't be played or have no sound, a long
/// title, several performers, counts that differ between their two places.
fn landscape(id: &str) -> Item {
    let gear = |name, codec, bitrate| Gear {
        name,
        codec,
        width: 1280,
        height: 720,
        bitrate,
        size: u64::from(bitrate) / 3,
    };
    let silent =
        video(id, "adapt_720_1", "v16-webapp-prime", 700).replace("/?a=", "/media-video-hvc1/?a=");
    Item::video(id)
        .with("/video/width", 1280.into())
        .with("/video/height", 720.into())
        .with_gears(&[
            gear("normal_720_0", "h264", 1_200_345),
            gear("adapt_720_1", "bytevc1", 700_123),
            gear("adapt_lower_720_2", "bytevc2", 400_456),
        ])
        .with("/video/bitrateInfo/1/PlayAddr/UrlList", json!([silent]))
        .with("/desc", "The harbour from above, filmed from the old crane on the first clear day of autumn 🍂 #harbour".into())
        .with("/music/authorName", "The Harbour Band & Friends, Someone Else".into())
        .with("/statsV2/playCount", "2213574".into())
}

fn frame(id: &str) -> Value {
    json!({
        "id": id,
        "desc": "Morning light over the bay 🌊 #sea & sand",
        "createTime": "1752031845",
        "locationCreated": "NO",
        "author": {
            "id": "6812345678901234567",
            "uniqueId": "harbour.keeper",
            "nickname": "Harbour Keeper",
            "signature": "Boats, mostly.",
            "secUid": "MS4wLjABAAAAtest",
            "verified": false,
            "avatarLarger": image(id, "avatar-1080", "jpeg"),
            "avatarMedium": image(id, "avatar-720", "jpeg"),
            "avatarThumb": image(id, "avatar-100", "jpeg"),
        },
        "music": {
            "id": "7000000000000000001",
            "title": "Sea song",
            "authorName": "The Harbour Band",
            "album": "",
            "duration": 60,
            "original": true,
            "coverLarge": image(id, "music-cover", "jpeg"),
            "playUrl": audio(id),
        },
        "stats": {
            "playCount": 2_200_000, "diggCount": 139_300, "commentCount": 3048,
            "shareCount": 2774, "collectCount": "8042",
        },
        "statsV2": {
            "playCount": "2200000", "diggCount": "139300", "commentCount": "3048",
            "shareCount": "2774", "collectCount": "8042", "repostCount": "17",
        },
        "textExtra": [],
        "challenges": [],
    })
}

fn bitrate_info(id: &str, gear: &Gear) -> Value {
    let Gear {
        name,
        codec,
        width,
        height,
        bitrate,
        size,
    } = gear;
    let kbps = bitrate / 1000;
    let short_side = match width.min(height) {
        576 => 540,
        side => *side,
    };
    json!({
        "GearName": name,
        "Bitrate": bitrate,
        "QualityType": 20,
        "CodecType": if *codec == "h264" { "h264" } else { "h265_hvc1" },
        "PlayAddr": {
            "Uri": format!("v{id}"),
            "UrlKey": format!("v{id}_{codec}_{short_side}p_{bitrate}"),
            "UrlList": [
                video(id, name, "v16-webapp-prime", kbps),
                video(id, name, "v19-webapp-prime", kbps),
                format!(
                    "https://www.tiktok.com/aweme/v1/play/?faid=1988&item_id={id}&line=0&tk=tt_chain_token&video_id=v{id}"
                ),
            ],
            "DataSize": size.to_string(),
            "Width": width,
            "Height": height,
        },
    })
}

/// A video address with the traits that clients get wrong: an empty parameter, an escaped bar, an order of its own.
fn video(id: &str, name: &str, host: &str, kbps: u32) -> String {
    format!(
        "https://{host}.tiktok.com/video/tos/test/tos-test-ve-0068c001/{id}-{name}/?a=1988&bti=ODszNWYuMDE6\
         &&bt={kbps}&cd=0%7C0%7C0%7C&cv=1&ft=-Csk_m7nPD12NZZ&mime_type=video_mp4&qs=0&rc=ZzVkNjY0%3D%3D\
         &expire=4102444800&l=20261121024500&ply_type=2&policy=2&signature=7d1c0ffee&tk=tt_chain_token"
    )
}

fn audio(id: &str) -> String {
    format!(
        "https://v77.tiktokcdn.com/3e938360fd99ddee919a61e3ca772e0b/f48656b0/video/tos/test/tos-test-v-27dcd7/{id}-sound/\
         ?a=1180&&bt=125&ft=.NpOcInz7Th~grkKXq8Zmo&mime_type=audio_mpeg&qs=13&l=20261121024500"
    )
}

fn image(id: &str, name: &str, extension: &str) -> String {
    format!(
        "https://p16-sign-sg.tiktokcdn.com/tos-test-p-0037/{id}-{name}~tplv-tiktokx-origin.{extension}?dr=14575\
         &x-expires=4102444800&x-signature=0D2u5pggU94jpPKBgSBvSC%2BJMSM%3D&t=4d5b0474&ps=13740610"
    )
}
