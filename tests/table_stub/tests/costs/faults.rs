//! Every request with a fault at every call of the table, before and after its effect; and then the same request again.

use std::collections::BTreeMap;

use serde_json::json;
use slipstream_table_stub::Fault;

use crate::{
    laws::{Act, expenses, furnished, hold},
    world::{EMPLOYEE, World, announcement, read},
};

/// How many items there are of each kind, by what their keys begin with; and what each expense has come to.
fn census(world: &World) -> (BTreeMap<String, usize>, Vec<(String, u64)>) {
    let mut kinds = BTreeMap::new();
    for item in world.stub.items() {
        let kind = |name: &str| item[name]["S"].as_str().unwrap().split('#').next().unwrap().to_owned();
        *kinds.entry(format!("{} {}", kind("PK"), kind("SK"))).or_insert(0) += 1;
    }
    let mut states: Vec<_> = expenses(world).iter().map(|state| (state.status.to_string(), state.version)).collect();
    states.sort();
    (kinds, states)
}

/// Does what comes before, then the act with the fault, then the act again. Whether the fault happened, and the census.
async fn with_fault(
    before: &[Act],
    act: Act,
    fault: Option<Fault>,
) -> (bool, (BTreeMap<String, usize>, Vec<(String, u64)>)) {
    let (world, expenses, receipts) = furnished().await;
    for earlier in before {
        let status = earlier.done(&world, &expenses, &receipts, &[]).await;
        assert!(status < 300, "{earlier:?}: {status}");
    }
    let key = [("idempotency-key", "one key")];
    if let Some(fault) = fault {
        world.stub.fail(fault);
        let status = act.done(&world, &expenses, &receipts, &key).await;
        assert!(status < 300 || status == 503, "{act:?} with {fault:?}: {status}");
    }
    let over = world.stub.take_fault();
    for time in ["again", "and again"] {
        let status = act.done(&world, &expenses, &receipts, &key).await;
        assert!(status < 300, "{act:?} with {fault:?}, {time}: {status}");
    }
    hold(&world);
    (!over, census(&world))
}

#[tokio::test]
async fn a_request_that_is_repeated_after_any_fault_has_one_effect() {
    let (detach, submit) = (Act::Detach { expense: 0 }, Act::Submit { expense: 0 });
    let cases: &[(&[Act], Act)] = &[
        (&[], Act::Create { receipt: None }),
        (&[detach], Act::Create { receipt: Some(0) }),
        (&[], Act::Edit { expense: 0 }),
        (&[detach], Act::Attach { expense: 2, receipt: 0 }),
        (&[], detach),
        (&[submit, Act::Withdraw { expense: 0 }], detach),
        (&[], Act::Split { expense: 0 }),
        (&[Act::Split { expense: 0 }], Act::Undo { expense: 0 }),
        (&[], Act::Dismiss { expense: 0 }),
        (&[], submit),
        (&[submit], Act::Withdraw { expense: 0 }),
        (&[], Act::Delete { expense: 0 }),
        (&[submit, Act::Withdraw { expense: 0 }], Act::Delete { expense: 0 }),
        (&[], Act::DeleteReceipt { receipt: 0 }),
        (&[Act::DeleteReceipt { receipt: 0 }], Act::Announce { receipt: 0 }),
    ];
    for (before, act) in cases {
        let (_, expected) = with_fault(before, *act, None).await;
        let mut after = 0;
        loop {
            let mut happened = false;
            for has_effect in [false, true] {
                let (this, census) = with_fault(before, *act, Some(Fault { after, has_effect })).await;
                happened |= this;
                assert_eq!(census, expected, "{act:?} with a fault after {after} calls, effect: {has_effect}");
            }
            if !happened {
                break;
            }
            after += 1;
        }
        assert!(after >= 3, "{act:?} asks the table for more than {after} things");
    }
}

/// A key means its first request, whatever the second is: another body, another operation, another thing.
#[tokio::test]
async fn a_key_means_one_request() {
    let (world, expenses, receipts) = furnished().await;
    let key = [("idempotency-key", "one key")];
    let first = Act::Announce { receipt: 7 };
    assert_eq!(first.done(&world, &expenses, &receipts, &key).await, 201);
    assert_eq!(first.done(&world, &expenses, &receipts, &key).await, 201);
    for other in [
        Act::Announce { receipt: 8 },
        Act::Create { receipt: None },
        Act::Edit { expense: 0 },
        Act::Delete { expense: 0 },
        Act::DeleteReceipt { receipt: 0 },
    ] {
        assert_eq!(other.done(&world, &expenses, &receipts, &key).await, 409, "{other:?}");
    }
    hold(&world);
}

/// The same announcement has a fresh ticket each time, and the table keeps none.
#[tokio::test]
async fn a_repeated_announcement_has_a_ticket_and_none_is_kept() {
    let world = World::new().await;
    let key = [("idempotency-key", "one key")];
    let announce = async || {
        let response = world.call(EMPLOYEE, "POST", "/receipts", &[], &[], &key, &announcement(1)).await;
        assert_eq!(response.status_code, 201, "{}", response.body);
        response
    };
    let (first, second) = (announce().await, announce().await);
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(first.headers["location"], second.headers["location"]);
    for response in [&first, &second] {
        assert!(read(response)["upload"]["url"].is_string(), "{}", response.body);
    }
    assert!(world.stub.items().iter().all(|item| !json!(item).to_string().contains("X-Amz-Signature")));
}
