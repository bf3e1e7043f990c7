//! What the configuration says of the things that the cluster has to know. Pure: texts come from
//! [`ocf::glob::Files`].
//!
//! The files are read rather than the output of `nginx -T`: that binds every address, and makes the
//! pid file, logs and directories, each time.
#![forbid(unsafe_code)]

pub mod compiled;
pub mod grammar;
pub mod include;
pub mod listen;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use compiled::Compiled;
use grammar::Directive;
use listen::{Listen, Socket};
use ocf::sys::listen::Place;

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The pid file.
    pub pid: PathBuf,
    /// Whether nginx detaches itself.
    pub daemon: bool,
    /// The places where it answers HTTP, those first that ask least of a client.
    pub listens: Vec<Listen>,
    /// The places that it binds, for every kind of server.
    pub places: Vec<Place>,
    /// The page of `stub_status`: whose it is and its path.
    pub status: Option<(Listen, String)>,
    /// The name of that server, for where it is not the first at its address.
    pub status_host: Option<String>,
    /// Local sockets of every kind of server.
    pub locals: Vec<PathBuf>,
    /// Files and directories that nginx makes when it looks at the configuration.
    pub made: Vec<PathBuf>,
}

/// Reads directives; `globals` are those of the option `-g`.
pub fn read(directives: &[Directive], globals: &str, compiled: &Compiled) -> Config {
    let globals = grammar::parse(globals);
    let top = |name: &str| {
        let mut all =
            directives.iter().chain(&globals).filter(|directive| directive.name() == name);
        all.next_back().and_then(|directive| directive.arguments().first()).map(String::as_str)
    };
    let mut config = Config {
        pid: top("pid").map_or_else(|| compiled.pid.clone(), |path| compiled.prefix.join(path)),
        daemon: top("daemon") != Some("off"),
        listens: Vec::new(),
        places: Vec::new(),
        status: None,
        status_host: None,
        locals: Vec::new(),
        made: compiled.made.clone(),
    };
    for directive in directives.iter().filter(|directive| directive.name() == "http") {
        for server in directive.block.iter().filter(|directive| directive.name() == "server") {
            read_server(server, &mut config);
        }
    }
    for kind in directives.iter().filter(|it| ["http", "stream", "mail"].contains(&it.name())) {
        config.places.extend(places(kind));
    }
    // The order of the file decides among those that ask for as little.
    config.listens.sort_by_key(Listen::demands);
    // Thousands of servers with names of their own share one place.
    let mut known = HashSet::new();
    config.listens.retain(|listen| known.insert(listen.clone()));
    walk(directives, &mut |directive| note(directive, &compiled.prefix, &mut config));
    config.made.push(config.pid.clone());
    config.made.sort();
    config.made.dedup();
    config
}

fn read_server(server: &Directive, config: &mut Config) {
    let named =
        |name: &'static str| server.block.iter().filter(move |directive| directive.name() == name);
    let mut listens: Vec<Listen> =
        named("listen").filter_map(|listen| Listen::read(listen.arguments())).collect();
    if named("listen").next().is_none() {
        listens.push(Listen::usual());
    }
    if named("ssl").any(|ssl| ssl.arguments().first().is_some_and(|value| value == "on")) {
        listens.iter_mut().for_each(|listen| listen.ssl = true);
    }
    let best = listens.iter().min_by_key(|listen| listen.demands());
    if let (None, Some(best)) = (&config.status, best) {
        config.status = status_path(&server.block, "/").map(|path| (best.clone(), path));
        let names = named("server_name").flat_map(|names| names.arguments());
        config.status_host = names.into_iter().find(|name| is_plain(name)).cloned();
        config.status_host.take_if(|_| config.status.is_none());
    }
    config.listens.extend(listens);
}

/// Whether a name of a server is one that a client can send, and no pattern. A server called `_`
/// is meant for no name.
fn is_plain(name: &str) -> bool {
    let is_inside = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    name.starts_with(|letter: char| letter.is_ascii_alphanumeric()) && name.chars().all(is_inside)
}

/// The places that the servers of one kind bind. They share the socket for all addresses where one
/// of them has it (`ngx_http_init_listening`), and ports with `reuseport` with other programs.
fn places(kind: &Directive) -> Vec<Place> {
    let mut all = Vec::new();
    let mut shared = HashSet::new();
    for server in kind.block.iter().filter(|directive| directive.name() == "server") {
        let mut listens =
            server.block.iter().filter(|directive| directive.name() == "listen").peekable();
        if listens.peek().is_none() && kind.name() == "http" {
            all.push(Place { host: Some("0.0.0.0".into()), port: 80, only_ipv6: true });
        }
        for listen in listens {
            let Some(place) = listen::place(listen.arguments()) else { continue };
            if listen.arguments().iter().any(|word| word == "reuseport") {
                shared.insert(place.port);
            }
            all.push(place);
        }
    }
    all.sort();
    all.dedup();
    let is_any = |place: &Place| matches!(place.host.as_deref(), Some("0.0.0.0" | "::"));
    let any: HashSet<u16> =
        all.iter().filter(|place| is_any(place)).map(|place| place.port).collect();
    all.retain(|place| {
        !shared.contains(&place.port) && (is_any(place) || !any.contains(&place.port))
    });
    all
}

/// The path of the first location with `stub_status`, which since 1.7.5 needs no `on`.
fn status_path(block: &[Directive], path: &str) -> Option<String> {
    block.iter().find_map(|directive| match (directive.name(), directive.arguments()) {
        ("stub_status", arguments) => {
            arguments.first().is_none_or(|word| word != "off").then(|| path.to_owned())
        }
        ("location", [_, inner] | [inner]) => {
            // What an expression matches is not known; its letters are the best guess.
            let plain =
                inner.trim_start_matches(['^', '~']).trim_end_matches('$').replace('\\', "");
            status_path(&directive.block, &plain)
        }
        ("if" | "limit_except", _) => status_path(&directive.block, path),
        _ => None,
    })
}

fn walk(directives: &[Directive], look: &mut impl FnMut(&Directive)) {
    for directive in directives {
        look(directive);
        walk(&directive.block, look);
    }
}

/// Notes the paths that a directive names, as far as nginx makes them.
fn note(directive: &Directive, prefix: &Path, config: &mut Config) {
    let Some(value) = directive.arguments().first() else { return };
    let name = directive.name();
    match name {
        "listen" => {
            let listen = Listen::read(directive.arguments());
            if let Some(Listen { socket: Socket::Unix(path), .. }) = listen
                && !config.locals.contains(&path)
            {
                config.locals.push(path);
            }
        }
        "error_log" | "access_log" => {
            let elsewhere = ["stderr", "off", "syslog:", "memory:", "/dev/", "$"];
            if !elsewhere.iter().any(|start| value.starts_with(start)) && !value.contains('$') {
                config.made.push(prefix.join(value));
            }
        }
        _ if name.ends_with("_temp_path") || name.ends_with("_cache_path") => {
            config.made.push(prefix.join(value))
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
