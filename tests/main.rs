//! Black-box tests: the real binary, a real authorization server on loopback, a scratch home.
#![allow(unreachable_pub, clippy::unwrap_used)]
// What only tests for Linux use.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

#[cfg(unix)]
mod advice;
#[cfg(unix)]
mod answer;
#[cfg(unix)]
mod answers;
#[cfg(unix)]
mod autocom;
#[cfg(unix)]
mod autocom_client;
#[cfg(unix)]
mod autocom_environments;
#[cfg(unix)]
mod autocom_more;
#[cfg(target_os = "linux")]
mod autocom_roads;
#[cfg(unix)]
mod autocom_server;
#[cfg(unix)]
mod book;
#[cfg(unix)]
mod bought;
#[cfg(unix)]
mod callback;
#[cfg(target_os = "linux")]
mod company;
#[cfg(unix)]
mod config;
#[cfg(target_os = "linux")]
mod crash;
#[cfg(unix)]
mod crowd;
#[cfg(unix)]
mod damage;
#[cfg(unix)]
mod device;
#[cfg(unix)]
mod device_grants;
#[cfg(unix)]
mod device_odd;
#[cfg(target_os = "linux")]
mod device_terminal;
#[cfg(unix)]
mod dpop;
#[cfg(target_os = "linux")]
mod exec;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod forms;
#[cfg(unix)]
mod git;
#[cfg(unix)]
mod git_erase;
#[cfg(unix)]
mod git_places;
#[cfg(unix)]
mod grants;
#[cfg(target_os = "linux")]
mod hit;
#[cfg(unix)]
mod identities;
#[cfg(unix)]
mod idp;
#[cfg(unix)]
mod in_ci;
#[cfg(target_os = "linux")]
mod interrupted;
#[cfg(unix)]
mod kept;
#[cfg(target_os = "linux")]
mod keychains;
#[cfg(unix)]
mod kubectl;
#[cfg(unix)]
mod listener;
#[cfg(unix)]
mod log;
#[cfg(unix)]
mod login;
#[cfg(unix)]
mod logout;
#[cfg(unix)]
mod machine;
#[cfg(unix)]
mod mcp;
#[cfg(target_os = "linux")]
mod model;
#[cfg(unix)]
mod narrow;
#[cfg(unix)]
mod nonsense;
#[cfg(unix)]
mod norms;
#[cfg(target_os = "linux")]
mod pages;
#[cfg(target_os = "linux")]
mod paste;
#[cfg(unix)]
mod pats;
#[cfg(unix)]
mod pods;
mod portable;
#[cfg(unix)]
mod proofs;
#[cfg(unix)]
mod providers;
#[cfg(unix)]
mod providers_new;
#[cfg(target_os = "linux")]
mod proxies;
#[cfg(unix)]
mod pushed;
#[cfg(unix)]
mod record;
#[cfg(unix)]
mod refresh;
#[cfg(target_os = "linux")]
mod registered;
#[cfg(unix)]
mod relay;
#[cfg(target_os = "linux")]
mod roads;
#[cfg(unix)]
mod rows;
#[cfg(unix)]
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
#[cfg(unix)]
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
#[cfg(unix)]
mod status;
#[cfg(unix)]
mod stdin;
#[cfg(unix)]
mod tables;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(unix)]
mod token;
#[cfg(unix)]
mod tools;
#[cfg(unix)]
mod tools_aws;
#[cfg(unix)]
mod tools_cargo;
#[cfg(unix)]
mod tools_docker;
#[cfg(unix)]
mod tools_edges;
#[cfg(unix)]
mod tools_garbled;
#[cfg(unix)]
mod tools_hosts;
#[cfg(unix)]
mod tools_nuget;
#[cfg(unix)]
mod tools_passed_on;
#[cfg(unix)]
mod tools_prints;
#[cfg(target_os = "linux")]
mod tools_terminal;
#[cfg(unix)]
mod tools_vault;
#[cfg(unix)]
mod warmhub;
#[cfg(unix)]
mod whet;
#[cfg(unix)]
mod whet_backend;
#[cfg(unix)]
mod whet_instances;
#[cfg(unix)]
mod whet_login;
#[cfg(unix)]
mod whet_refusals;
#[cfg(unix)]
mod world;

#[cfg(unix)]
#[test]
fn no_file_of_tests_is_forgotten() {
    tables::nothing_is_forgotten("tests", include_str!("main.rs"));
}
