//! The player script, made up: it has the shape of the real ones (`_yt_player`, a builder of media addresses with
//! `("alr","yes")`, a method that transforms `n`), and does what is mirrored here.

use std::fmt::Write as _;

/// The characters of challenges.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Characters of a ciphered signature that are thrown away.
const FILLING: &str = "QZ";
/// Which character changes places with the first one, before and after the text is turned around.
const SWAPS: [usize; 2] = [7, 3];

/// A player.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// Eight hexadecimal digits.
    pub(crate) id: String,
    /// `signatureTimestamp`, which requests for ciphered addresses must name.
    pub(crate) timestamp: u32,
    /// Added to the place of each character of `n`.
    step: usize,
}

impl Script {
    /// A player whose `n` is transformed by `step`.
    pub(crate) fn new(id: &str, timestamp: u32, step: usize) -> Self {
        Self {
            id: id.to_owned(),
            timestamp,
            step,
        }
    }

    /// Its path on `www.youtube.com`.
    pub(crate) fn path(&self) -> String {
        format!("/s/player/{}/player_ias.vflset/en_US/base.js", self.id)
    }

    /// What `n` must be turned into.
    pub(crate) fn solve_n(&self, n: &str) -> String {
        let places = n
            .chars()
            .map(|c| ALPHABET.find(c).expect("a character of a challenge"));
        let moved = places.enumerate().map(|(at, place)| {
            let place = (place + self.step + at * at) % ALPHABET.len();
            char::from(ALPHABET.as_bytes()[place])
        });
        let mut solved: Vec<char> = moved.collect();
        solved.reverse();
        solved.into_iter().collect()
    }

    /// The ciphered form of a signature: what the script puts in order again.
    pub(crate) fn cipher(signature: &str) -> String {
        let mut text: Vec<char> = signature.chars().collect();
        swap(&mut text, SWAPS[1]);
        let mut text: Vec<char> = FILLING.chars().chain(text).collect();
        text.reverse();
        swap(&mut text, SWAPS[0]);
        text.into_iter().collect()
    }

    /// The script's text.
    pub(crate) fn text(&self) -> String {
        let Self {
            timestamp, step, ..
        } = self;
        let [first, second] = SWAPS;
        let filling = FILLING.len();
        let mut text = format!(
            r#"var _yt_player={{}};(function(g){{var window=this;
'use strict';
var settings={{signatureTimestamp:{timestamp},experiments:{{}}}};
var ring="{ALPHABET}";
var tools={{sw:function(a,k){{var t=a[0];a[0]=a[k%a.length];a[k%a.length]=t}},rv:function(a){{a.reverse()}},dr:function(a,k){{a.splice(0,k)}}}};
var order=function(a){{a=a.split("");tools.sw(a,{first});tools.rv(a);tools.dr(a,{filling});tools.sw(a,{second});return a.join("")}};
var turn=function(a){{var b=[],i;for(i=0;i<a.length;i++)b.push(ring[(ring.indexOf(a[i])+{step}+i*i)%ring.length]);return b.reverse().join("")}};
g.Address=function(a){{this.a=a;this.b={{}};this.c=!1}};
g.Address.prototype.set=function(a,b){{this.b[a]=b}};
g.Address.prototype.get=function(a){{return a in this.b?this.b[a]:null}};
g.Address.prototype.clone=function(){{var a=new g.Address(this.a),b;for(b in this.b)a.b[b]=this.b[b];return a}};
g.Address.prototype.build=function(){{if(!this.c){{this.c=!0;var a=this.get("n");a&&this.set("n",turn(a))}}return this.a}};
var make=function(a,b,c){{var d=new g.Address(a);d.set("alr","yes");c&&(c=order(decodeURIComponent(c)),d.set(b,encodeURIComponent(c)));return d}};
g.plain=function(a){{var b=new g.Address(a);b.set("alr","no");return b}};
"#
        );
        // Real scripts are large, and start the page at their end.
        for number in 0..200 {
            writeln!(text, "var unused{number}=function(a){{return a+{number}}};")
                .expect("writing to a string");
        }
        text.push_str("window.ytplayer.start();\n})(_yt_player);\n");
        text
    }
}

fn swap(text: &mut [char], with: usize) {
    let with = with % text.len();
    text.swap(0, with);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script's own order of steps, in Rust.
    fn order(ciphered: &str) -> String {
        let mut text: Vec<char> = ciphered.chars().collect();
        swap(&mut text, SWAPS[0]);
        text.reverse();
        let mut text = text.split_off(FILLING.len());
        swap(&mut text, SWAPS[1]);
        text.into_iter().collect()
    }

    #[test]
    fn ciphered_signatures_come_back_in_order() {
        for signature in ["AJfQdSswRAIgABCDEFGH", "AJfQdSsw"] {
            let ciphered = Script::cipher(signature);
            assert_ne!(ciphered, signature);
            assert_eq!(order(&ciphered), signature);
        }
    }

    #[test]
    fn ciphered_signatures_are_known_by_their_part() {
        let [part, turned] = super::super::SIGNATURES;
        let digest = "0123456789abcdef";
        let ciphered = Script::cipher(&format!("AJfQdSswRAIg{digest}{part}{digest}=="));
        assert!(ciphered.contains(turned), "{ciphered}");
    }

    #[test]
    fn n_changes_and_stays_in_its_alphabet() {
        let script = Script::new("0123abcd", 20_500, 11);
        let solved = script.solve_n("AbC-_9xyz0Q");
        assert_ne!(solved, "AbC-_9xyz0Q");
        assert!(solved.chars().all(|c| ALPHABET.contains(c)) && solved.len() == 11);
    }
}
