//! Our reader beside the daemon's own: the same files, the same verdict, the same line.

use crate::{director, has, machine, write};

/// Files, and the line of the first mistake; 0 for none. The daemon confirms it.
const FILES: &[(&str, usize)] = &[
    ("", 0),
    ("virtual=10.0.0.1:80\n\treal=10.0.0.2:80 masq\n", 0),
    (
        "virtual = 10.0.0.1:80 and so on\n\treal = 10.0.0.2 gate\n# not indented\n\tservice = \
         http or so\n",
        0,
    ),
    ("virtual=10.0.0.1\n\treal=10.0.0.2 gate\n", 0),
    ("virtual=10.0.0.1:80\n\treal=10.0.0.2->10.0.0.5:80 gate 5 \"a\", \"b\" l:1 u:9\n", 0),
    (
        "virtual=10.0.0.1:80\n\treal=10.0.0.2:80 masq \"http://x/y\" \"b, \
         c\"\n\tchecktype=3\n\tvirtualhost=\n",
        0,
    ),
    ("virtual=10.0.0.1:80\n\treal=192.168.6.2::5060 gate\n", 0),
    ("virtual=10.0.0.1:80\n        # deep\n    quiescent=no\nautoreload=no", 0),
    ("virtual=10.0.0.1:http\n\treal=10.0.0.2:http masq\n\tfallback=127.0.0.1:http\n", 0),
    (
        "virtual6=[2001:db8::1]:80\n\treal6=[2001:db8::2]:80 masq\n\tfallback6=[::1]:80 \
         gate\n\tnetmask=64\n\tchecktype=connect\n",
        0,
    ),
    ("virtual=1\n\tprotocol=fwm\n\tfallback=127.0.0.1 gate\n", 0),
    ("fallback=127.0.0.1:80 masq\nquiescent=yes\ncallback=\"/bin/true\"\n", 0),
    ("fallback=127.0.0.1:http\n", 1),
    ("checktimeout = about 5 seconds\n", 0),
    ("checkinterval=0\n", 1),
    ("autoreload=yes \n", 1),
    ("quiescent=yes\r\n", 1),
    ("emailalertstatus=all, running\n", 0),
    ("emailalertstatus=all, none\n", 1),
    ("emailalertstatus=sometimes\n", 1),
    ("logfile=/var/log/x\n", 1),
    ("callback=/bin/true\n", 1),
    ("smtp=[::1]\n", 1),
    ("timeout=3\n", 1),
    ("bogus\n", 1),
    ("\treal=10.0.0.2:80 masq\n", 1),
    ("virtual=:80\n", 1),
    ("virtual=10.0.0.300:80\n", 1),
    ("virtual=[2001:db8::1]:80\n", 1),
    ("virtual=10.0.0.1:80\n  real=10.0.0.2:80 gate\n", 2),
    ("virtual=10.0.0.1:80\n\treal=10.0.0.2:80 gate\n\n\tservice=http\n", 4),
    ("virtual=10.0.0.1:80\n     \n", 2),
    ("virtual=10.0.0.1:80\n    \n", 0),
    ("virtual=10.0.0.1:80\n\treal=10.0.0.2:80\n", 2),
    ("virtual=10.0.0.1:80\n\treal=10.0.0.2:80 nat\n", 2),
    ("virtual=10.0.0.1:80\n\treal=10.0.0.2:80 gate 3 fast\n", 2),
    ("virtual=10.0.0.1:80\n\treal=10.0.0.9->10.0.0.5:80 gate\n", 2),
    ("virtual=10.0.0.1:80\n\treal=10.0.0.2:99999 gate\n", 2),
    ("virtual=10.0.0.1:80\n\treal6=[::1]:80 gate\n", 2),
    ("virtual=10.0.0.1:80\n\trequest=index.html\n", 2),
    ("virtual=10.0.0.1:80\n\trequest=\"a#b\"\n", 2),
    ("virtual=10.0.0.1:80\n\tservice=gopher\n", 2),
    ("virtual=10.0.0.1:80\n\tservice=http_proxy\n\tservice=ldaps\n", 0),
    ("virtual=10.0.0.1:80\n\tchecktype=off  \n\tops=no\n\thttpmethod=head\n", 0),
    ("virtual=10.0.0.1:80\n\tchecktype=sometimes\n", 2),
    ("virtual=10.0.0.1:80\n\tprotocol=fwm\n", 2),
    ("virtual=10.0.0.1:80\n\tnetmask=24\n", 2),
    ("virtual=10.0.0.1:80\n\tcheckport=0\n", 2),
    ("virtual=10.0.0.1:80\n\tscheduler=RR\n", 2),
    ("virtual=10.0.0.1:80\n\tschedflags=sh-port\n\tpersistent=5\n", 0),
    ("virtual=10.0.0.1:80\n\tconnecttimeout=3\n", 2),
];

#[test]
fn our_reader_and_the_daemons_agree() {
    if !has(&["/usr/sbin/ldirectord", "/usr/sbin/ipvsadm"]) {
        return;
    }
    let host = machine("nodea");
    for (number, (text, _)) in FILES.iter().enumerate() {
        host.sh(&format!("printf '%s' '{text}' > /srv/{number}.cf"));
    }
    // One process loads the modules, which takes long, and each file gets a copy of it that runs
    // the daemon's program.
    let script = format!(
        "use strict; use LWP::UserAgent; use LWP::Debug; use Net::HTTP; use IO::Socket::INET6; \
         use Pod::Usage; use Sys::Syslog;\n\
         $ENV{{PERLIO}} = 'perlio'; $| = 1;\n\
         for my $n (0..{}) {{\n  my $pid = open(my $said, '-|') // die;\n\
           unless ($pid) {{ open(STDERR, '>&STDOUT'); @ARGV = (\"/srv/$n.cf\", 'status'); $0 = \
           '/usr/sbin/ldirectord'; do $0; exit 99; }}\n\
           my $all = join('', <$said>); close($said); my $code = $? >> 8;\n\
           my ($line) = $all =~ /^Error .* at line (\\d+):/m; print \"$n $code \", $line // '', \
           \"\\n\";\n}}",
        FILES.len() - 1
    );
    write(&host, "/srv/all.pl", &script);
    let mut command = host.command("/usr/bin/perl");
    let said = command.arg("/srv/all.pl").output().expect("it runs");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let verdicts: Vec<&str> = said.lines().collect();
    assert_eq!(verdicts.len(), FILES.len(), "{said}");
    for (number, (text, line)) in FILES.iter().enumerate() {
        let expected =
            if *line == 0 { format!("{number} 3 ") } else { format!("{number} 2 {line}") };
        assert_eq!(verdicts[number], expected, "the daemon of {text:?}");
        let path = format!("/srv/{number}.cf");
        let ours = director(&host).param("configfile", &path).validate_here();
        match line {
            0 => ours.expect_code(0),
            line => ours.expect_code(5).expect_reason(&[&format!("{path}:{line}: ")]),
        };
    }
}
