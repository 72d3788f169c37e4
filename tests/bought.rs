//! What is bought with a token, as it is kept.

use serde_json::json;

use crate::grants::now;
use crate::record;
use crate::world::World;

/// The file of what was bought.
pub fn bought(world: &World) -> std::path::PathBuf {
    let name = world.holdings().into_iter().find(|name| name.starts_with('+')).expect("nothing was kept");
    world.data(&name)
}

/// As if what is good for an hour ended in this many seconds.
pub fn set_left(world: &World, seconds: i64) {
    let mut kept = record::read(&bought(world));
    kept["entries"][0]["expires_at"] = json!(now() + seconds);
    kept["entries"][0]["obtained_at"] = json!(now() + seconds - 3600);
    record::write(&bought(world), &kept);
}
