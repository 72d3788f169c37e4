//! Black-box tests: the real binary, a real authorization server on loopback, a scratch home.
#![allow(unreachable_pub, clippy::unwrap_used)]
// What only tests for Linux use.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

mod advice;
mod answer;
mod answers;
mod autocom;
mod autocom_client;
mod autocom_environments;
mod autocom_more;
#[cfg(target_os = "linux")]
mod autocom_roads;
mod autocom_server;
mod book;
mod bought;
mod browser;
mod callback;
#[cfg(target_os = "linux")]
mod company;
mod config;
#[cfg(target_os = "linux")]
mod crash;
mod crowd;
mod damage;
mod device;
mod device_grants;
mod device_odd;
#[cfg(target_os = "linux")]
mod device_terminal;
mod dpop;
#[cfg(target_os = "linux")]
mod exec;
#[cfg(unix)]
mod faults;
mod forms;
mod git;
mod git_erase;
mod git_places;
mod grants;
#[cfg(target_os = "linux")]
mod hit;
mod identities;
mod identity_center;
mod idp;
#[cfg(unix)]
mod in_ci;
#[cfg(target_os = "linux")]
mod interrupted;
#[cfg(unix)]
mod kept;
#[cfg(target_os = "linux")]
mod keychains;
mod kubectl;
mod listener;
#[cfg(unix)]
mod log;
mod login;
mod logout;
mod machine;
mod mcp;
#[cfg(target_os = "linux")]
mod model;
mod narrow;
#[cfg(unix)]
mod nonsense;
#[cfg(unix)]
mod norms;
#[cfg(target_os = "linux")]
mod pages;
#[cfg(target_os = "linux")]
mod paste;
mod pats;
#[cfg(unix)]
mod pods;
mod portable;
#[cfg(unix)]
mod proofs;
mod providers;
mod providers_new;
#[cfg(target_os = "linux")]
mod proxies;
mod pushed;
mod record;
mod refresh;
#[cfg(target_os = "linux")]
mod registered;
mod relay;
#[cfg(target_os = "linux")]
mod roads;
mod rows;
mod runs;
#[cfg(target_os = "linux")]
mod sealed;
#[cfg(target_os = "linux")]
mod sealed_damage;
#[cfg(target_os = "linux")]
mod sealed_logout;
#[cfg(target_os = "linux")]
mod sealed_places;
#[cfg(target_os = "linux")]
mod secret_service;
mod secrets;
#[cfg(target_os = "linux")]
mod setup;
#[cfg(target_os = "linux")]
mod setup_files;
#[cfg(target_os = "linux")]
mod setup_kubectl;
#[cfg(target_os = "linux")]
mod setup_whole;
#[cfg(unix)]
mod shell;
mod status;
#[cfg(unix)]
mod stdin;
mod tables;
#[cfg(target_os = "linux")]
mod terminal;
mod token;
mod tools;
mod tools_aws;
mod tools_aws_portal;
mod tools_cargo;
mod tools_docker;
mod tools_edges;
mod tools_garbled;
mod tools_hosts;
mod tools_nuget;
#[cfg(unix)]
mod tools_passed_on;
mod tools_prints;
#[cfg(target_os = "linux")]
mod tools_terminal;
mod tools_vault;
mod warmhub;
mod whet;
mod whet_backend;
mod whet_instances;
mod whet_login;
mod whet_refusals;
#[cfg(windows)]
mod windows;
mod world;

#[cfg(unix)]
#[test]
fn no_file_of_tests_is_forgotten() {
    tables::nothing_is_forgotten("tests", include_str!("main.rs"));
}
