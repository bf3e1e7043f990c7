//! Damaged configurations and files of variables.

use std::path::Path;
use std::time::Duration;

use ocf::sys::clock::Deadline;
use ocf::testing::Tree;
use ocf::testing::fuzz::survives_text;

use crate::config::{self, Surroundings};
use crate::envfile::Variables;

const CONFIGURATIONS: [&str; 2] = [
    "ServerRoot \"/etc/apache2\"\nPidFile ${APACHE_PID_FILE}\nUser www-data\nListen [::1]:8081\n\
     Listen 443 https\n<IfModule \
     mod_status.c>\n<Location /server-status>\nSetHandler server-status\n</Location>\n</IfModule>\n\
     Include conf.d/*.conf\n",
    "Define a b\n<IfDefine !SSL>\nListen 80 \\\n http\n</IfDefine>\n<VirtualHost *:81>\n\
     ServerName 'x y'\n</VirtualHost>\nUse M 1\n",
];

const VARIABLES: &str = "# comment\nunset HOME\nif [ \"${A##/x-}\" != \"${A}\" ] ; then\n\
                         \tSUFFIX=\"-${A##/x-}\"\nelse\n\tSUFFIX=\nfi\n\
                         export APACHE_PID_FILE=/run/apache2$SUFFIX.pid\nexport LANG=C\n\
                         . /etc/default/locale\n";

#[test]
fn any_configuration_is_read() {
    survives_text(&CONFIGURATIONS, |text| {
        let files = [("/c/main.conf", text), ("/c/conf.d/a.conf", text)];
        drop(config::read(
            Path::new("/c/main.conf"),
            &Surroundings::default(),
            &Tree(&files),
            Deadline::after(Duration::from_secs(1)),
        ));
    });
}

#[test]
fn any_file_of_variables_is_read_or_refused() {
    survives_text(&[VARIABLES, "A=1; B='$(x)'\nexport A B\n"], |text| {
        let mut variables = Variables::default();
        let _ = variables.read(text, &|_, _| true);
    });
}
