//! A terminal that a test types into, and whose screen it reads.

use expectrl::Session;
use expectrl::process::unix::WaitStatus;
use std::io::{ErrorKind, Write};
use std::num::NonZeroU16;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than any step takes on a machine that does much else.
const LONGEST: Duration = Duration::from_secs(40);
/// A screen that is written anew is taken when it has not changed for so long.
const STEADY: Duration = Duration::from_millis(1200);

/// A session as data. Lines that begin with `#` are comments, with `!` settings (`! size 40 12`, `! colors`,
/// `! file NAME TEXT`); each other line is typed, and is a step.
pub struct Script {
    pub steps: Vec<Step>,
    columns: u16,
    rows: u16,
    colors: bool,
    files: Vec<(String, String)>,
}

pub struct Step {
    pub shown: String,
    pub keys: String,
}

const KEYS: &[(&str, &str)] = &[
    ("<enter>", "\r"),
    ("<tab>", "\t"),
    ("<up>", "\x1b[A"),
    ("<down>", "\x1b[B"),
    ("<right>", "\x1b[C"),
    ("<left>", "\x1b[D"),
    ("<home>", "\x01"),
    ("<end>", "\x05"),
    ("<esc>", "\x1b"),
    ("<backspace>", "\x7f"),
    ("<ctrl-c>", "\x03"),
    ("<ctrl-d>", "\x04"),
    ("<ctrl-r>", "\x12"),
    ("<ctrl-u>", "\x15"),
];

impl Script {
    pub fn read(text: &str) -> Script {
        let mut script = Script { steps: Vec::new(), columns: 80, rows: 24, colors: false, files: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some(setting) = line.strip_prefix("! ") else {
                let keys = KEYS.iter().fold(line.to_string(), |text, (name, key)| text.replace(name, key));
                script.steps.push(Step { shown: line.to_string(), keys });
                continue;
            };
            let words: Vec<&str> = setting.splitn(3, ' ').collect();
            match words[..] {
                ["size", columns, rows] => {
                    (script.columns, script.rows) = (columns.parse().unwrap(), rows.parse().unwrap());
                }
                ["colors"] => script.colors = true,
                ["file", name, text] => script.files.push((name.to_string(), text.replace("\\n", "\n"))),
                _ => panic!("`{line}` is no setting"),
            }
        }
        script
    }
}

pub struct Terminal {
    session: Session<expectrl::process::unix::UnixProcess, expectrl::process::unix::PtyStream>,
    screen: vt100::Parser,
    colors: bool,
    ended: bool,
    _folder: tempfile::TempDir,
}

impl Terminal {
    pub fn start(script: &Script) -> Terminal {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in &script.files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let state = folder.path().join(".history");
        let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
        command.arg("repl").current_dir(folder.path());
        command.env("LOCUS_CACHE", "off").env("LOCUS_HISTORY", state).env("TERM", "xterm-256color");
        command.env_remove("COLUMNS").env_remove("LINES");
        if script.colors {
            command.env_remove("NO_COLOR")
        } else {
            command.env("NO_COLOR", "1")
        };
        let mut session = Session::spawn(command).unwrap();
        session.get_process_mut().set_window_size(script.columns, script.rows).unwrap();
        let size = |number: u16| NonZeroU16::new(number).unwrap();
        let screen = vt100::Parser::new(size(script.rows), size(script.columns), 0);
        Terminal { session, screen, colors: script.colors, ended: false, _folder: folder }
    }

    pub fn press(&mut self, keys: &str) {
        self.session.write_all(keys.as_bytes()).unwrap();
        self.session.flush().unwrap();
    }

    /// Takes what has come; false if nothing has.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.session.try_read(&mut bytes) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                self.screen.process(&bytes[..count]);
                return true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // The other end of a pseudo-terminal is closed.
            Err(_) => self.ended = true,
        }
        std::thread::sleep(Duration::from_millis(3));
        false
    }

    pub fn wait_for(&mut self, done: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.shown();
            if done(&screen) || start.elapsed() > LONGEST {
                return screen;
            }
            while self.read() {}
        }
    }

    /// The screen once it is this, or what it is instead.
    pub fn becomes(&mut self, wanted: &str) -> String {
        self.wait_for(|screen| screen == wanted)
    }

    /// The screen once it does not change any more.
    pub fn steady(&mut self) -> String {
        let mut last = Instant::now();
        while last.elapsed() < STEADY && !self.ended {
            if self.read() {
                last = Instant::now();
            }
        }
        self.shown()
    }

    /// The screen, without what differs from run to run, and where the cursor is; or how the command ended.
    fn shown(&self) -> String {
        let screen = self.screen.screen();
        let (rows, columns) = screen.size();
        let plain = screen.rows(0, columns.get()).map(|row| masked(row.trim_end()));
        let colored = (0..rows.get()).map(|row| painted(screen, row, columns.get()));
        let lines: Vec<String> = if self.colors { colored.collect() } else { plain.collect() };
        let text = lines.join("\n").trim_end().to_string();
        if self.ended
            && let Ok(status) = self.session.get_process().wait()
        {
            let how = match status {
                WaitStatus::Exited(_, code) => format!("exit code {code}"),
                other => format!("{other:?}"),
            };
            return format!("{text}\n({how})");
        }
        let (row, column) = screen.cursor_position();
        format!("{text}\n(cursor {row},{column})")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.session.get_process_mut().exit(true);
    }
}

/// A row with the numbers of its colors: `{35 let} x`.
fn painted(screen: &vt100::Screen, row: u16, columns: u16) -> String {
    let (mut out, mut now) = (String::new(), String::new());
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        let color = match cell.fgcolor() {
            vt100::Color::Idx(color) => format!("{}{color}", if cell.bold() { "bold " } else { "" }),
            _ => String::new(),
        };
        if color != now {
            out.push_str(if now.is_empty() { "" } else { "}" });
            out.push_str(&if color.is_empty() { String::new() } else { format!("{{{color}:") });
            now = color;
        }
        out.push_str(if cell.has_contents() { cell.contents() } else { " " });
    }
    out.push_str(if now.is_empty() { "" } else { "}" });
    masked(out.trim_end())
}

/// Times, sizes of memory, shares of time and the version are not the same in every run.
fn masked(row: &str) -> String {
    let row = row.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let words: Vec<&str> = row.split(' ').collect();
    let number = |word: &str| {
        let word = word.trim_start_matches('(');
        !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == '.')
    };
    let unit = |word: &str| {
        let word = word.trim_end_matches([')', ',']);
        ["us", "ms", "s", "B", "kB", "MB", "GB"].contains(&word)
    };
    if !words.windows(2).any(|pair| number(pair[0]) && unit(pair[1])) {
        return row;
    }
    let measured = words.iter().any(|word| word.ends_with('%'));
    let mut out: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let time = number(word) && words.get(at + 1).is_some_and(|next| unit(next));
        let share = measured && word.strip_suffix('%').is_some_and(number);
        match word.starts_with('(') {
            true if time => out.push("(N".to_string()),
            _ if time || share => out.push("N".to_string()),
            _ if at > 0 && unit(word) && number(words[at - 1]) => {
                let end: String = word.chars().filter(|c| matches!(c, ')' | ',')).collect();
                out.push(format!("UNIT{end}"));
            }
            // Columns are as wide as their numbers.
            _ if measured && word.is_empty() => {}
            _ => out.push(word.to_string()),
        }
    }
    out.join(" ")
}
