//! How a command ends: the codes of `sysexits.h` where one fits, so that scripts can tell what to do next.

use std::process::ExitCode;

use crate::http::offline::Refused;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Ok,
    /// What was asked about is not well (`health`, `doctor`), or the server could not start.
    Failure,
    /// The command line or the address can't be used (`EX_USAGE`).
    Usage,
    /// The site has no such thing, or doesn't give it to us; the same command will fail again (`EX_UNAVAILABLE`).
    Unavailable,
    /// A fault of this program (`EX_SOFTWARE`).
    Software,
    /// The file can't be made, or is there already (`EX_CANTCREAT`).
    CantCreate,
    /// Reading or writing failed half-way, as on a full disk (`EX_IOERR`).
    Io,
    /// It may work later (`EX_TEMPFAIL`).
    Temporary,
    /// The settings can't be used (`EX_CONFIG`).
    Config,
    /// Stopped by this signal, as shells count it.
    Signal(u8),
}

impl Exit {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Software => 70,
            Self::CantCreate => 73,
            Self::Io => 74,
            Self::Temporary => 75,
            Self::Config => 78,
            Self::Signal(number) => 128_u8.saturating_add(number),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The codes as help and manual tell them.
pub(super) const CODES: &str = "\
Exit codes:
  0   done
  1   the server is not well (health), a check failed (doctor), the server could not start
  3   the server was stopped and cut transfers that still ran (serve)
  64  the command line or the address can't be used
  69  the site has no such post or format, or doesn't give it to us: trying again won't help
  70  a fault of this program
  73  the file can't be made, or is there already
  74  reading or writing failed half-way, as on a full disk or a closed pipe
  75  temporary: too busy, too slow, broken off; run the same command again
  78  the settings can't be used; every fault is listed
  129, 130, 143  stopped by SIGHUP, SIGINT (Ctrl-C), SIGTERM";

/// Why a command failed, and how it ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self {
            exit: exit_of(&refused),
            message: format!("{}: {}", refused.code, refused.message),
        }
    }
}

fn exit_of(refused: &Refused) -> Exit {
    match (refused.status.as_u16(), refused.code.as_str()) {
        (400, "live_unsupported" | "not_image_post" | "no_images") => Exit::Unavailable,
        (400 | 413 | 414 | 422, _) => Exit::Usage,
        (429 | 503 | 504, _) | (502, "upstream_error") => Exit::Temporary,
        (507, _) => Exit::Io,
        (500, _) => Exit::Software,
        _ => Exit::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn refusals_end_by_what_the_caller_can_do() {
        for (status, code, exit) in [
            (400, "unsupported_host", Exit::Usage),
            (400, "live_unsupported", Exit::Unavailable),
            (403, "private", Exit::Unavailable),
            (404, "format_not_found", Exit::Unavailable),
            (451, "region_blocked", Exit::Unavailable),
            (500, "internal", Exit::Software),
            (501, "ffmpeg_missing", Exit::Unavailable),
            (502, "extraction_failed", Exit::Unavailable),
            (502, "upstream_error", Exit::Temporary),
            (503, "ip_blocked", Exit::Temporary),
            (504, "upstream_timeout", Exit::Temporary),
            (507, "insufficient_storage", Exit::Io),
        ] {
            let refused = Refused {
                status: StatusCode::from_u16(status).unwrap(),
                code: code.to_owned(),
                message: "why".to_owned(),
            };
            let failure = Failure::from(refused);
            assert_eq!(failure.exit, exit, "{status} {code}");
            assert_eq!(failure.message, format!("{code}: why"));
        }
    }

    #[test]
    fn every_code_is_told() {
        for exit in [
            Exit::Ok,
            Exit::Failure,
            Exit::Usage,
            Exit::Unavailable,
            Exit::Software,
            Exit::CantCreate,
            Exit::Io,
            Exit::Temporary,
            Exit::Config,
            Exit::Signal(2),
        ] {
            let code = exit.code().to_string();
            let is_told = CODES.split([' ', ',', '\n']).any(|word| word == code);
            assert!(is_told, "{exit:?}");
        }
    }
}
