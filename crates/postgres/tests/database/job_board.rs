//! The jobs of all servers.

#![allow(clippy::unwrap_used)]

use earmark_postgres::JobBoard;
use serde_json::json;

use crate::common::{new_index, on_database};

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn jobs_are_posted_found_cancelled_and_forgotten() {
    let (database, index) = new_index(4);
    let (one, other) = (JobBoard::of(&index), JobBoard::of(&index));
    let ids: Vec<u64> = (0..4).map(|_| one.reserve().unwrap()).collect();
    assert!(ids.windows(2).all(|two| two[0] < two[1]) && other.reserve().unwrap() > ids[3]);
    assert_eq!(other.get(ids[0]).unwrap(), None, "reserved is not posted");
    for id in &ids {
        assert!(!one.post(*id, &json!({"n": id})).unwrap());
    }
    let numbers = |board: &JobBoard| board.all().unwrap().iter().map(|job| job.id).collect::<Vec<u64>>();
    assert_eq!(numbers(&other), [ids[3], ids[2], ids[1], ids[0]]);

    assert!(other.cancel(ids[0]).unwrap());
    assert!(one.post(ids[0], &json!({"n": 7})).unwrap(), "its server learns that it is to be cancelled");
    assert_eq!(other.get(ids[0]).unwrap().unwrap().content, json!({"n": 7}));
    one.finish(ids[0], &json!({"n": 8}), &json!([1, 2]), 100).unwrap();
    assert_eq!(other.failures(ids[0]).unwrap(), Some(json!([1, 2])));
    assert!(!other.cancel(ids[0]).unwrap(), "it is over");
    // What was sent before and comes late.
    one.add(ids[0], &json!({"n": 0})).unwrap();
    assert!(!one.post(ids[0], &json!({"n": 1})).unwrap());
    assert_eq!(other.get(ids[0]).unwrap().unwrap().content, json!({"n": 8}));
    assert_eq!(other.failures(4711).unwrap(), None);

    // The server of two of them is gone.
    let gone = format!(
        "UPDATE earmark.job SET seen = now() - interval '2 minutes' WHERE id IN ({}, {})",
        ids[1], ids[0]
    );
    on_database(&database, &gone);
    assert!(one.get(ids[1]).unwrap().unwrap().is_abandoned);
    assert!(!one.get(ids[0]).unwrap().unwrap().is_abandoned, "it was over before");
    assert!(!other.cancel(ids[1]).unwrap());
    one.finish(ids[2], &json!({}), &json!([]), 1).unwrap();
    assert_eq!(numbers(&one), [ids[3], ids[2]], "of those that are over or gone, one is kept");
}
