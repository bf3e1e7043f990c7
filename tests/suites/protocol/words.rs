//! Words that the caller uses: true and false, and the absence of an interval.

use harness::L2;
use harness::rig::VIP4;

use crate::mistaken;

/// An interval that was not set was not taken for a probe (RA#1579, RA#1580).
#[test]
fn sl_04_an_interval_that_is_unset_empty_or_zero_means_a_probe() {
    let rig = L2::new();
    for (wrong, name) in mistaken(&rig) {
        // A wrong value distinguishes the two: 7 for a probe, 6 for a recurring monitor, but for
        // reloadable parameters: there the default applies to what runs.
        let recurring = if name == "op_sleep" { 7 } else { 6 };
        wrong.probe().expect_code(7);
        wrong.clone().meta("interval", "").action("monitor").expect_code(7);
        wrong.clone().meta("interval", "0").action("monitor").expect_code(7);
        wrong.clone().meta("interval", "10000").action("monitor").expect_code(recurring);
        wrong.clone().meta("interval", "10000").action("status").expect_code_in(&[3, 6, 7]);
    }
}

/// `Yes`, `On`, `y` and `TrUe` were false.
#[test]
fn sl_05_the_words_for_true_and_false_are_those_of_pacemaker() {
    let rig = L2::new();
    let vip = |word: &str| {
        rig.vip4().param("noprefixroute", word).param("cidr_netmask", "28").param("arp_count", "1")
    };
    for word in
        ["true", "TRUE", "True", "TrUe", "yes", "Yes", "YES", "on", "On", "y", "Y", "1", "ja", "JA"]
    {
        vip(word).start().expect_code(0);
        assert!(rig.a.only(VIP4).flag("noprefixroute"), "{word} is true");
        vip(word).stop().expect_code(0);
    }
    for word in ["false", "FALSE", "no", "No", "off", "OFF", "n", "N", "0", ""] {
        vip(word).start().expect_code(0);
        assert!(!rig.a.only(VIP4).flag("noprefixroute"), "{word} is false");
        vip(word).stop().expect_code(0);
    }
    for word in ["maybe", "2", "tru", "yess", "-1", " "] {
        vip(word).validate().expect_code(6).expect_reason(&["noprefixroute"]);
    }
}
