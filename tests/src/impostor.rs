//! Processes that look like a server's and are not the one that an agent manages: of another user,
//! of a container, or with arguments without end.

use std::path::Path;
use std::time::Duration;

use crate::host::{Host, Resident};
use crate::process::wait_until;

/// The user and group `nobody` on Debian.
pub const NOBODY: u32 = 65534;

/// Keeps a program from doing anything: preloaded, it waits before the program's own first line.
/// With `ARGUMENTS` it lets the kernel show a sparse mapping of two gigabytes as the process's
/// arguments (PR_SET_MM_MAP, prctl(2)).
const WAITING: &str = r#"
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static void sparse_arguments(void) {
    unsigned long f[53] = {0}, size = 2ul << 30;
    char text[4096];
    FILE *file = fopen("/proc/self/stat", "r");
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    char *word = strtok(strrchr(text, ')') + 1, " ");
    for (int field = 3; word && field < 53; field++, word = strtok(NULL, " "))
        f[field] = strtoul(word, NULL, 10);
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) _exit(71);
    struct prctl_mm_map m = {
        .start_code = f[26], .end_code = f[27], .start_stack = f[28],
        .start_data = f[45], .end_data = f[46],
        .start_brk = f[47], .brk = (unsigned long)sbrk(0), .arg_start = (unsigned long)map,
        .arg_end = (unsigned long)map + size, .env_start = f[50], .env_end = f[51],
        .auxv = NULL, .auxv_size = 0,
        .exe_fd = -1,
    };
    if (prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof m, 0)) _exit(72);
}

__attribute__((constructor)) static void wait_for_ever(void) {
    if (getenv("ARGUMENTS")) sparse_arguments();
    for (;;) pause();
}
"#;

/// Builds a library that programs in the machine can be started with (`LD_PRELOAD`); returns its
/// path.
#[must_use]
pub fn library(host: &Host, name: &str, text: &str) -> String {
    let path = format!("/run/{name}.so");
    host.sh(&format!(
        "test -e {path} || {{ cat >/run/{name}.c <<'END'\n{text}\nEND\n\
         TMPDIR=/run cc -shared -fPIC -o {path} /run/{name}.c; chmod 755 {path}; }}"
    ));
    path
}

/// The words that run `words` as a user, waiting before its first line.
#[must_use]
pub fn waiting<'a>(host: &Host, user: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    let _ = library(host, "waiting", WAITING);
    let mut all = vec![
        "setpriv",
        "--reuid",
        user,
        "--regid",
        user,
        "--clear-groups",
        "env",
        "LD_PRELOAD=/run/waiting.so",
    ];
    all.extend(words);
    all
}

/// Starts a program as a user, waiting before its first line; returns when the kernel shows that
/// program. `words` may begin with variables.
#[must_use]
pub fn spawn(host: &Host, user: u32, words: &[&str]) -> Resident {
    let user = user.to_string();
    let all = waiting(host, &user, words);
    let program = words.iter().find(|word| !word.contains('=')).expect("a program");
    let mut resident = host.spawn(all[0], &all[1..]);
    let exe = format!("/proc/{}/exe", resident.pid());
    let is_running = || {
        std::fs::read_link(&exe)
            .is_ok_and(|exe| Some(exe) == Path::new(program).canonicalize().ok())
    };
    assert!(
        wait_until(Duration::from_secs(10), || is_running().then_some(())).is_some(),
        "{words:?} does not begin"
    );
    // Time for the library; a process that ends now could not be one.
    std::thread::sleep(Duration::from_millis(200));
    assert!(resident.is_alive(), "{words:?} has ended");
    resident
}

/// Starts such a process again and again with a pause between two, each in a session of its own,
/// until what it returns is dropped. `life` is how long each lives; for ever without one.
#[must_use]
pub fn rain(
    host: &Host,
    user: u32,
    words: &[&str],
    pause: Duration,
    life: Option<Duration>,
) -> Resident {
    let user = user.to_string();
    let words = waiting(host, &user, words).join(" ");
    let life = life.map_or_else(
        || "setsid".to_owned(),
        |life| format!("timeout -s KILL {}", life.as_secs_f64()),
    );
    let pause = pause.as_secs_f64();
    host.spawn("/bin/sh", &["-c", &format!("while :; do {life} {words} & sleep {pause}; done")])
}

/// A world of its own for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// As container engines make it: PID, mount and network namespaces, another root directory,
    /// `/run` of its own.
    Container,
    /// A container that shares the machine's process numbers and network.
    HostNumbers,
    /// Another root directory and nothing else.
    Chroot,
    /// As a unit with `PrivateTmp=`: the machine's own root directory, another `/tmp`.
    PrivateTmp,
}

/// Makes a root directory of parts of this one, and enters it.
const OTHER_ROOT: &str = "mount -t tmpfs root /media; cd /media; mkdir usr etc var dev run proc \
     old srv tmp; for part in usr etc var dev srv; do mount --rbind /$part $part; done; for link \
     in lib lib64 bin sbin; do test ! -L /$link || ln -s usr/$link $link; done; mount -t tmpfs run \
     run; mkdir -p run/web; cp -r /run/web/. run/web/ 2>/dev/null || true; if test \"$NUMBERS\" = \
     own; then mount -t proc proc proc; else mount --rbind /proc proc; fi";

/// Leaves the machine's root directory for the new one.
const PIVOT: &str = "pivot_root . old; umount -l /old; cd /";

impl World {
    /// Starts a server in it, which ends with the value unless it detaches itself.
    #[must_use]
    pub fn spawn(self, host: &Host, words: &[&str]) -> Resident {
        let (options, script): (&[&str], String) = match self {
            Self::Container => (
                &["--mount", "--pid", "--fork", "--kill-child", "--net"],
                format!("NUMBERS=own; {OTHER_ROOT}; {PIVOT}; ip link set lo up; exec \"$@\""),
            ),
            Self::HostNumbers => {
                (&["--mount"], format!("NUMBERS=shared; {OTHER_ROOT}; {PIVOT}; exec \"$@\""))
            }
            // Without a namespace of its own, unshare(1) only starts what follows.
            Self::Chroot => (&[], format!("NUMBERS=shared; {OTHER_ROOT}; exec chroot . \"$@\"")),
            Self::PrivateTmp => (&["--mount"], "mount -t tmpfs tmp /tmp; exec \"$@\"".to_owned()),
        };
        let mut all: Vec<&str> = options.to_vec();
        all.extend(["/bin/sh", "-euc", &script, "sh"]);
        all.extend(words);
        host.spawn("unshare", &all)
    }
}
