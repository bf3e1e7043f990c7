//! Damaged configurations, records of services, answers of the kernel, and command lines.

use std::path::Path;

use netlink_packet_core::ParseableParametrized as _;
use netlink_packet_generic::GenlHeader;
use ocf::testing::fuzz::{survives, survives_text};

use crate::config::resolve::resolve;
use crate::config::{self, tests};
use crate::ipvs::Message;
use crate::table::Id;
use crate::{argv, record};

#[test]
fn any_configuration_is_read_and_faults_have_lines() {
    survives_text(&[tests::TUTORIAL, tests::FORMS], |text| {
        let config = config::read(text);
        let lines = text.split('\n').count();
        assert!(config.faults.len() <= config::MOST_FAULTS && config.virtuals.len() <= lines);
        assert!(config.faults.iter().all(|fault| (1..=lines).contains(&fault.line)));
        if let Err(faults) = resolve(&config, &tests::Few) {
            assert!(!faults.is_empty());
        }
    });
}

#[test]
fn any_name_of_a_service_is_read() {
    survives_text(&["tcp 192.0.2.10:80", "udp [2001:db8::1]:53", "mark 7 of IPv6"], |text| {
        if let Some(id) = Id::parse(text) {
            assert_eq!(Id::parse(&id.to_string()), Some(id));
        }
        let _ = record::unhex(text);
    });
}

/// A service and a real server (IPVS_CMD_ATTR_SERVICE, IPVS_CMD_ATTR_DEST) with address, port,
/// flags and weight.
const ANSWER: [u8; 56] = [
    56, 0, 1, 128, 6, 0, 1, 0, 2, 0, 0, 0, 6, 0, 2, 0, 6, 0, 0, 0, 20, 0, 3, 0, 10, 9, 0, 50, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 4, 0, 0, 80, 0, 0, 8, 0, 7, 0, 1, 0, 0, 0,
];

#[test]
fn any_answer_of_the_kernel_is_read() {
    survives(
        &[&ANSWER, &[ANSWER.as_slice(), &[8, 0, 2, 128, 8, 0, 4, 0, 3, 0, 0, 0]].concat()],
        |bytes| {
            let Ok(message) = Message::parse_with_param(bytes, GenlHeader { cmd: 1, version: 1 })
            else {
                return;
            };
            let _ = (message.service(), message.server());
        },
    );
}

#[test]
fn any_command_line_and_any_first_line_is_read() {
    survives(
        &[
            b"#! /usr/bin/perl -w\n",
            b"/usr/bin/perl\0-w\0/usr/sbin/ldirectord\0/etc/ha.d/ldirectord.cf\0start\0",
        ],
        |bytes| {
            let arguments: Vec<Vec<u8>> =
                bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
            let _ = (
                argv::read(&arguments, Path::new("/usr/sbin/ldirectord")),
                argv::interpreter(bytes),
            );
        },
    );
}
