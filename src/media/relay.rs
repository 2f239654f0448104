//! FFmpeg's arguments that send what it is given to an SRT target as it is. Pure.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use super::ffmpeg::words;

/// Reads FLV from standard input and sends it as MPEG-TS to `address`, a literal that was judged before.
///
/// `options` is a file of the output's options, one `name=value` a line, read once and to its end: `-fpre` takes those of
/// the protocol too (tried with FFmpeg 5.1), so that no secret is in the argument list. Reports come on standard error
/// five times a second. `-fflags nobuffer` would throw away the first two seconds.
pub fn srt(options: &Path, address: SocketAddr) -> Vec<OsString> {
    let mut arguments = words(&[
        "-loglevel",
        "level+warning",
        "-progress",
        "pipe:2",
        "-stats_period",
        "0.2",
        "-nostats",
        "-protocol_whitelist",
        "pipe",
        "-analyzeduration",
        "0",
        "-probesize",
        "65536",
        "-f",
        "flv",
        "-i",
        "pipe:0",
        "-map",
        "0:v:0",
        "-map",
        "0:a:0",
        "-c",
        "copy",
        "-fpre",
    ]);
    arguments.push(options.into());
    arguments.extend(words(&["-f", "mpegts"]));
    arguments.push(format!("srt://{address}?mode=caller").into());
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_the_literal_and_options_are_in_the_file() {
        let six = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 9000));
        let words = srt(Path::new("/t/o"), six);
        let at = |word: &str| words.iter().position(|other| other == word).unwrap();
        assert_eq!(words[at("-fpre") + 1], "/t/o");
        assert_eq!(words.last().unwrap(), "srt://[::1]:9000?mode=caller");
        assert!(at("-protocol_whitelist") < at("-i"));
    }
}
