//! `ocf-bench-floor-dbus UNIT-OBJECT`: what the monitor of a unit cannot do without. It asks
//! systemd over the bus of the system for one property, the unit's ActiveState. Exit 0: it is
//! `active`; 7: it is something else; 1: no answer.
//!
//! `ocf-bench` measures the agent against it. It shares no code with it, only the crate that speaks
//! D-Bus.

use std::process::ExitCode;

use zbus::zvariant::OwnedValue;

fn main() -> ExitCode {
    let Some(object) = std::env::args().nth(1) else { return ExitCode::from(2) };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    match runtime.block_on(state(&object)) {
        Ok(state) if state == "active" => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(7),
        Err(_) => ExitCode::FAILURE,
    }
}

async fn state(object: &str) -> zbus::Result<String> {
    let connection = zbus::connection::Builder::system()?.build().await?;
    let question = ("org.freedesktop.systemd1.Unit", "ActiveState");
    let interface = Some("org.freedesktop.DBus.Properties");
    let answer = connection
        .call_method(Some("org.freedesktop.systemd1"), object, interface, "Get", &question)
        .await?;
    let value: OwnedValue = answer.body().deserialize()?;
    Ok(String::try_from(value)?)
}
